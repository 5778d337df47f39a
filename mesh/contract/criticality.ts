/**
 * What a server that is loaded beyond its limit refuses last and first. The contract of the first method of a chain says it for
 * all calls further down.
 */
export type Criticality = "critical" | "default" | "sheddable";

export const criticalities: readonly Criticality[] = ["critical", "default", "sheddable"];
