export {
  type CallContext,
  currentCall,
  currentSignal,
  type EndUser,
  requireEndUser,
  runAs,
  runDetached,
} from "./call-context.ts";
export { formatOperator, operatorHeader } from "./operator-header.ts";
