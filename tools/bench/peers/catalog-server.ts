import { loadConfig } from "../../../services/catalog/config.ts";
import { start } from "../../../services/catalog/main.ts";
import { answerAsServer } from "./answer.ts";

answerAsServer(async () => {
  const config = loadConfig(process.env);
  await start(config);
  return config.mesh.grpcAddress.port;
});
