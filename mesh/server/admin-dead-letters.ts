import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { currentCall, currentSignal } from "../context/call-context.ts";
import type { DeadLetter, DeadLetterFilter, DeadLetters, RedrivenDeadLetter } from "../contract/dead-letters.ts";
import { rpcError } from "../contract/errors.ts";
import {
  type DeadLetterSchema,
  type DeadLetterService,
  type DiscardDeadLettersRequest,
  type DeadLetterFilter as FilterMessage,
  type RedriveDeadLettersRequest,
  RedriveOutcome,
} from "../gen/weft/admin/v1/dead_letters_pb.ts";
import type { Audited } from "../telemetry/audit.ts";
import { createPages } from "./admin-pages.ts";

/** Letters that a filter takes at most if nobody has said how many. */
const limitDefault = 100;
/** Letters of one look at the list while letters are redriven or discarded. */
const lookSize = 100;
/** What is left of a call's time when no further letter is begun: enough for one, and for the answer. */
const reserveMs = 12_000;

const outcomes = {
  handled: RedriveOutcome.HANDLED,
  repeated: RedriveOutcome.REPEATED,
  failed: RedriveOutcome.FAILED,
  decoded: RedriveOutcome.DECODED,
} as const;

type Selection = RedriveDeadLettersRequest | DiscardDeadLettersRequest;

/** DeadLetterService over a consumer's letters. */
export function createDeadLetterAdmin(
  letters: DeadLetters,
  audited: Audited,
  requireOperator: () => void,
): ServiceImpl<typeof DeadLetterService> {
  return {
    async listDeadLetters({ filter, pageSize, pageToken }) {
      requireOperator();
      const wanted = toFilter(filter);
      const pages = createPages(`weft.dead_letters/${JSON.stringify(wanted)}`);
      const [after] = pages.after(pageToken, [/^[0-9]{1,15}$/]);
      const afterId = after === undefined ? undefined : BigInt(after);
      const [page, usage] = await Promise.all([
        letters.list({ filter: wanted, afterId, limit: pages.size(pageSize) }),
        letters.usage(),
      ]);
      return {
        letters: page.letters.map(toMessage),
        nextPageToken: pages.next(page.next === undefined ? undefined : [String(page.next)]),
        total: BigInt(usage.total),
        streamBytes: BigInt(usage.streamBytes),
        streamBytesMax: BigInt(Math.max(0, usage.streamBytesMax)),
      };
    },

    async getDeadLetter({ letterId }) {
      requireOperator();
      const opened = await letters.get(letterId);
      if (opened === undefined) throw gone(letterId);
      const { letter, body, headers, envelope: { occurredAt, ...envelope } = {} } = opened;
      return {
        letter: toMessage(letter),
        headers,
        ...envelope,
        ...(occurredAt && { occurredAt: timestampFromDate(occurredAt) }),
        ...("json" in body
          ? { body: { case: "bodyJson", value: body.json } }
          : { body: { case: "bodyHex", value: body.hex }, bodyProblem: body.problem }),
      };
    },

    async redriveDeadLetters(request) {
      requireOperator();
      const { dryRun, reason } = request;
      const redrive = async () => {
        const redriven: RedrivenDeadLetter[] = [];
        const goneIds: bigint[] = [];
        const end = await eachLetter(letters, request, async (letterId) => {
          const one = await letters.redrive(letterId, { dryRun });
          if (one === undefined) goneIds.push(letterId);
          else redriven.push(one);
        });
        return { redriven, goneIds, end };
      };
      const result = await audited("RedriveDeadLetters", targetOf(request), redrive, {
        dryRun,
        reason,
        outcome: ({ redriven, goneIds, end }) =>
          countsOf([...redriven.map(({ outcome }) => outcome), ...goneIds.map(() => "gone")], end),
      });
      refuseGone(request, result.goneIds);
      return {
        letters: [
          ...result.redriven.map((one) => ({ ...one, outcome: outcomes[one.outcome] })),
          ...result.goneIds.map((letterId) => ({ letterId, outcome: RedriveOutcome.GONE })),
        ],
        ...result.end,
      };
    },

    async discardDeadLetters(request) {
      requireOperator();
      const { dryRun, reason } = request;
      const discard = async () => {
        const discarded: DeadLetter[] = [];
        const goneIds: bigint[] = [];
        const end = await eachLetter(letters, request, async (letterId) => {
          const opened = await letters.get(letterId);
          // Of two operators who discard the same letter, one has discarded it.
          if (opened !== undefined && (dryRun || (await letters.discard(letterId)))) discarded.push(opened.letter);
          else goneIds.push(letterId);
        });
        return { discarded, goneIds, end };
      };
      const result = await audited("DiscardDeadLetters", targetOf(request), discard, {
        dryRun,
        reason,
        outcome: ({ discarded, goneIds, end }) =>
          countsOf([...discarded.map(() => "discarded"), ...goneIds.map(() => "gone")], end),
      });
      refuseGone(request, result.goneIds);
      const { discarded, goneIds, end } = result;
      return { letters: discarded.map(toMessage), goneIds, ...end };
    },
  };
}

/** How a round of letters has ended. */
interface RoundEnd {
  /** There may be more. */
  readonly more: boolean;
  /** What stopped it, if anything did. */
  readonly stoppedBecause: string;
}

/**
 * Does something with each letter that is asked for, one after the other, until the limit is reached, the call's time is nearly over,
 * or something goes wrong: what was done before that is worth an answer.
 */
async function eachLetter(
  letters: DeadLetters,
  request: Selection,
  act: (letterId: bigint) => Promise<void>,
): Promise<RoundEnd> {
  let done = 0;
  try {
    for await (const letterId of selected(letters, request)) {
      if (letterId === "more") return { more: true, stoppedBecause: "" };
      if (done > 0 && isNearlyOver()) return { more: true, stoppedBecause: "the time of the call was over" };
      await act(letterId);
      done += 1;
    }
    return { more: false, stoppedBecause: "" };
  } catch (error) {
    if (done === 0 || !(error instanceof ConnectError)) throw error;
    return { more: true, stoppedBecause: error.message };
  }
}

/** The ids of the letters, and "more" at the end if the limit has cut them short. */
async function* selected(letters: DeadLetters, { which, limit }: Selection): AsyncIterable<bigint | "more"> {
  if (which.case === "ids") {
    yield* new Set(which.value.letterIds);
    return;
  }
  const filter = toFilter(which.value);
  let left = limit || limitDefault;
  for (let afterId: bigint | undefined; ; ) {
    const page = await letters.list({ filter, afterId, limit: Math.min(lookSize, left) });
    for (const { letterId } of page.letters) yield letterId;
    left -= page.letters.length;
    afterId = page.next;
    if (afterId === undefined) return;
    if (left === 0 || currentSignal()?.aborted) return yield "more";
  }
}

function isNearlyOver(): boolean {
  const deadlineMs = currentCall()?.deadlineMs ?? Number.POSITIVE_INFINITY;
  return currentSignal()?.aborted === true || Date.now() > deadlineMs - reserveMs;
}

/** The one letter that was asked for is gone: that is an error. One of several is an outcome. */
function refuseGone({ which }: Selection, goneIds: readonly bigint[]): void {
  const [letterId] = goneIds;
  if (which.case === "ids" && which.value.letterIds.length === 1 && letterId !== undefined) throw gone(letterId);
}

function gone(letterId: bigint) {
  const message = `there is no dead letter ${letterId} here: it was redriven or discarded, is too old, or another service's`;
  return rpcError(Code.NotFound, message, {
    reason: "LETTER_GONE",
    domain: "weft",
    metadata: { letter_id: String(letterId) },
  });
}

function targetOf({ which, limit }: Selection): string {
  if (which.case === "ids") return `letters ${which.value.letterIds.join(", ")}`;
  const { subject, since, cause } = toFilter(which.value);
  const parts = [
    ...(subject ? [`of ${subject}`] : []),
    ...(since ? [`since ${since.toISOString()}`] : []),
    ...(cause ? [`with "${cause}"`] : []),
  ];
  return [`at most ${limit || limitDefault} letters`, ...parts].join(" ");
}

/** "98 handled, 2 failed" */
function countsOf(words: readonly string[], { stoppedBecause }: RoundEnd): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const text = [...counts].map(([word, count]) => `${count} ${word}`).join(", ") || "none";
  return stoppedBecause === "" ? text : `${text}; stopped: ${stoppedBecause}`;
}

function toFilter(filter: FilterMessage | undefined): DeadLetterFilter {
  const { subject, since, cause } = filter ?? {};
  return {
    ...(subject && { subject }),
    ...(since && { since: timestampDate(since) }),
    ...(cause && { cause }),
  };
}

function toMessage({ givenUpAt, ...letter }: DeadLetter): MessageInitShape<typeof DeadLetterSchema> {
  return { ...letter, givenUpAt: timestampFromDate(givenUpAt) };
}
