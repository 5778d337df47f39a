import { requirePeer } from "./grpc-package.ts";

/** As far as it is used here. */
export interface Broker {
  createService(schema: object): void;
  start(): Promise<void>;
  waitForServices(names: string[]): Promise<void>;
  call(action: string, parameters: object): Promise<object>;
}

/** A node of Moleculer on the TCP transporter with all else off: no metrics, no tracing, no validation, no logs. */
export function createBroker(
  nodeID: string,
  transporter: { readonly port?: number; readonly urls?: string[] },
): Broker {
  const { ServiceBroker } = requirePeer("moleculer") as { ServiceBroker: new (options: object) => Broker };
  return new ServiceBroker({
    nodeID,
    logger: false,
    validator: false,
    transporter: { type: "TCP", options: { udpDiscovery: false, useHostname: false, ...transporter } },
  });
}
