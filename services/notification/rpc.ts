import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { NotificationService } from "../../gen/shop/notification/v1/notification_pb.ts";
import type { EmailStore } from "./store.ts";

const pageSizeDefault = 20;

/** NotificationService over the store. */
export function notificationRoutes(emails: Pick<EmailStore, "list">): (router: ConnectRouter) => void {
  const service: ServiceImpl<typeof NotificationService> = {
    async listEmails({ userId, pageSize, pageToken }) {
      const page = await emails.list({ userId, pageSize: pageSize || pageSizeDefault, pageToken });
      return {
        nextPageToken: page.nextPageToken,
        emails: page.emails.map(({ eventId, subject, createdAt, sentAt, attempts }) => ({
          eventId,
          subject,
          createdAt: timestampFromDate(createdAt),
          ...(sentAt && { sentAt: timestampFromDate(sentAt) }),
          attempts,
        })),
      };
    },
  };
  return (router) => router.service(NotificationService, service);
}
