import { answerAsServer } from "./answer.ts";
import { serveBench } from "./weft-serve.ts";

answerAsServer(async () => (await serveBench()).port);
