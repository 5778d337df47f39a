/** A frame that breaks the specification's rules: the peer's fault, and the end of its tunnel. */
export class FrameError extends Error {
  override name = "FrameError";
}
