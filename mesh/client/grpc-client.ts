import { isIP } from "node:net";
import { type ChannelCredentials, type ChannelOptions, Client } from "@grpc/grpc-js";
import { windowBytes } from "../tunnel/limits.ts";

/** Bounds and habits of one connection. */
const channelOptions: ChannelOptions = {
  // Retries have one owner: the mesh.
  "grpc.enable_retries": 0,
  "grpc.service_config_disable_resolution": 1,
  // Where all of them have been replaced, their new addresses are asked for at once; grpc-js would wait for half a minute.
  "grpc.dns_min_time_between_resolutions_ms": 1_000,
  "grpc.enable_http_proxy": 0,
  "grpc.use_local_subchannel_pool": 1,
  // grpc-js would wait up to two minutes before it looks for a server that has come back.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  // A frozen server answers no ping: its calls fail in seconds, not at their deadlines.
  "grpc.keepalive_time_ms": 1_000,
  "grpc.keepalive_timeout_ms": 1_000,
  "grpc.keepalive_permit_without_calls": 0,
  "grpc-node.flow_control_window": windowBytes,
  "grpc.max_receive_message_length": 4 * 1024 * 1024,
  "grpc.max_send_message_length": 4 * 1024 * 1024,
};

/**
 * A name may stand for several instances: calls go to all of them in turn, not to the first that answers. An address is one
 * instance: a call to one that was away tries to connect again, where taking turns would refuse it until the next attempt is due.
 */
function balancingOf(address: string): ChannelOptions {
  const policy = isOneInstance(address) ? "pick_first" : "round_robin";
  return { "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ [policy]: {} }] }) };
}

/** Whether an address stands for one instance: an IP address does, a name may stand for several. */
export function isOneInstance(address: string): boolean {
  return isIP(address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "")) !== 0;
}

/**
 * Opens a connection of its own to an instance; it connects when it is called.
 *
 * @param service the called service's name: what the server's certificate must prove
 */
export function openGrpcClient(address: string, service: string, credentials: ChannelCredentials): Client {
  // Node refuses an IP address as TLS server name; who the server is, its SPIFFE id says.
  const options = { ...channelOptions, ...balancingOf(address), "grpc.ssl_target_name_override": service };
  return new Client(address, credentials, options);
}
