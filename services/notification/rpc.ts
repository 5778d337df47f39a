import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { Channel, MessageState, NotificationService } from "../../gen/shop/notification/v1/notification_pb.ts";
import type { Message } from "./domain.ts";
import type { MessageStore } from "./store.ts";

const pageSizeDefault = 20;

/** NotificationService over the store. */
export function notificationRoutes(messages: Pick<MessageStore, "list">): (router: ConnectRouter) => void {
  const service: ServiceImpl<typeof NotificationService> = {
    async listEmails({ userId, pageSize, pageToken }) {
      const page = await messages.list({
        ...{ userId, pageToken, channel: "EMAIL" },
        pageSize: pageSize || pageSizeDefault,
      });
      const emails = page.messages.map(({ eventId, subject, attempts, ...times }) => ({
        ...{ eventId, subject, attempts },
        ...timestamps(times),
      }));
      return { emails, nextPageToken: page.nextPageToken };
    },

    async listMessages({ userId, pageSize, pageToken }) {
      const page = await messages.list({
        ...{ userId, pageToken, channel: undefined },
        pageSize: pageSize || pageSizeDefault,
      });
      const listed = page.messages.map(
        ({ channel, state, messageId, eventId, subject, attempts, failure, ...times }) => ({
          ...{ messageId, eventId, subject, attempts, failure },
          channel: Channel[channel],
          state: MessageState[state],
          ...timestamps(times),
        }),
      );
      return { messages: listed, nextPageToken: page.nextPageToken };
    },
  };
  return (router) => router.service(NotificationService, service);
}

function timestamps({ createdAt, sentAt }: Pick<Message, "createdAt" | "sentAt">) {
  return { createdAt: timestampFromDate(createdAt), ...(sentAt && { sentAt: timestampFromDate(sentAt) }) };
}
