import {
  beginAuthorization,
  type Money,
  type Payment,
  settleAuthorization,
  settleCapture,
  settleRefund,
  settleVoid,
  wantCapture,
  wantVoid,
} from "../../../services/payment/domain.ts";
import type { ProviderRequest } from "./past-ledger.ts";

/** What payment does about one order, by its own rules, and what it asks the provider meanwhile. */
export interface PastMoney {
  /** The provider is asked, and answers or stays silent. */
  authorize(answer: "authorized" | "declined" | "none"): void;
  /** What became of a question that was not answered is learnt in the end. */
  learn(answer: "authorized" | "absent"): void;
  /** The order is confirmed: its money is captured. */
  capture(answer: "captured" | "refused"): void;
  /** The order is cancelled: what there is is given back. */
  giveBack(): void;
  end(): { readonly payment: Payment; readonly requests: readonly ProviderRequest[] };
}

export interface PastMoneyOptions {
  readonly orderId: string;
  readonly amount: Money;
  readonly paymentMethod: string;
  /** The provider's id of the authorization. */
  readonly reference: string;
  readonly now: () => Date;
  /** Lets about so many milliseconds go by. */
  readonly pass: (aboutMs: number) => void;
  /** Called with each new state. */
  readonly tell: (payment: Payment) => void;
}

const ANSWER_MS = 25;

export function createPastMoney(options: PastMoneyOptions): PastMoney {
  const { orderId, amount, paymentMethod, reference, now, pass, tell } = options;
  const requests: ProviderRequest[] = [];
  let payment: Payment | undefined;
  const become = (next: Payment | undefined): void => {
    if (next === undefined) throw new Error(`${orderId}: its payment has no way there`);
    const isNews = next.state !== payment?.state;
    payment = next;
    if (isNews) tell(next);
  };
  const known = (): Payment => {
    if (payment === undefined) throw new Error(`${orderId} has no payment`);
    return payment;
  };
  const ask = (operation: ProviderRequest["operation"], answer: ProviderRequest["answer"]): void => {
    const sum = { amount: Number(amount.minorUnits), currency: amount.currencyCode };
    const input = { ...sum, payment_method: paymentMethod, reference: orderId };
    const key = `${operation}:${orderId}`;
    requests.push({ atMs: now().getTime(), operation, key, authorizationId: reference, input, answer });
    pass(ANSWER_MS);
  };
  return {
    authorize(answer) {
      become(beginAuthorization(payment, { orderId, amount }, now()));
      if (answer === "none") return;
      ask("authorize", answer);
      become(settleAuthorization(known(), { status: answer, reference, reason: "insufficient funds" }, now()));
    },
    learn(answer) {
      if (answer === "authorized") ask("authorize", answer);
      const found = answer === "absent" ? { status: answer } : { status: answer, reference };
      become(settleAuthorization(known(), found, now()));
    },
    capture(answer) {
      become(wantCapture(payment, orderId, now()));
      ask("capture", answer);
      const refusal = { type: "refused", reason: "authorization expired" } as const;
      become(settleCapture(known(), answer === "captured" ? { type: answer } : refusal, now()));
    },
    giveBack() {
      const wanted = wantVoid(payment, orderId, now());
      if (wanted === undefined) return;
      become(wanted);
      if (wanted.state === "CAPTURED") {
        ask("refund", "refunded");
        become(settleRefund(known(), now()));
      } else if (wanted.state === "AUTHORIZED" || wanted.state === "FAILED") {
        ask("void", "voided");
        become(settleVoid(known(), "voided", now()));
      }
    },
    end: () => ({ payment: known(), requests }),
  };
}
