/** Of the bench's certificates. */
export const trustDomain = "bench.local";
