/** One load under way, of one key. */
export interface Flight<Value> {
  readonly promise: Promise<Value | undefined>;
  /** False once what is being loaded may be from before a change: who waits for it gets it, but it is not to be kept. */
  isValid(): boolean;
  /** Gives all who wait the value. */
  land(value: Value | undefined): void;
  /** Gives all who wait the error; no more than that if it has landed. */
  fail(error: unknown): void;
}

/** The loads that a caller can wait for instead of beginning another. */
export interface Flights<Value> {
  get(key: string): Flight<Value> | undefined;
  start(key: string): Flight<Value>;
  /** A change overtakes the load of this key: nobody who comes from now on waits for it. */
  overtake(key: string): void;
  overtakeAll(): void;
}

export function createFlights<Value>(): Flights<Value> {
  const flights = new Map<string, Flight<Value>>();
  return {
    get: (key) => flights.get(key),
    start(key) {
      const { promise, resolve, reject } = Promise.withResolvers<Value | undefined>();
      // Whoever waits sees the error; if nobody does any more, it is nobody's.
      promise.catch(() => {});
      const isValid = () => flights.get(key) === flight;
      const end = () => {
        if (isValid()) flights.delete(key);
      };
      const flight: Flight<Value> = {
        promise,
        isValid,
        land(value) {
          end();
          resolve(value);
        },
        fail(error) {
          end();
          reject(error);
        },
      };
      flights.set(key, flight);
      return flight;
    },
    overtake: (key) => void flights.delete(key),
    overtakeAll: () => flights.clear(),
  };
}
