import { h } from "../dom.ts";
import { logOut } from "../log-in.ts";
import type { App, Page, Visit } from "../page.ts";
import { checkbox, field, form } from "../parts/field.ts";

export async function profilePage(app: App, { signal }: Visit): Promise<Page> {
  const { profile } = await app.api.accounts.getProfile({}, { signal });
  if (profile === undefined) throw new Error("the answer holds no profile");
  const displayName = field({
    ...{ name: "profile.display_name", label: "Your name" },
    attributes: { required: true, autocomplete: "name", maxlength: 100, value: profile.displayName },
  });
  const phone = field({
    ...{ name: "profile.phone", label: "Phone", hint: "With country code, like +4930123456. Only for text messages." },
    attributes: {
      ...{ type: "tel", autocomplete: "tel", pattern: "[+][1-9][0-9]{6,14}", value: profile.phone },
      title: "Please write it with country code and digits only, like +4930123456.",
    },
  });
  const byEmail = checkbox("notify_by_email", "By e-mail", profile.notifyByEmail);
  const bySms = checkbox("notify_by_sms", "By text message", profile.notifyBySms);
  const byPush = checkbox("notify_by_push", "By push message, on a device that has our app", profile.notifyByPush);

  const save = async (): Promise<void> => {
    await app.api.accounts.updateProfile({
      profile: {
        ...{ displayName: displayName.input.value.trim(), phone: phone.input.value.trim() },
        ...{
          notifyByEmail: byEmail.input.checked,
          notifyBySms: bySms.input.checked,
          notifyByPush: byPush.input.checked,
        },
      },
      updateMask: { paths: ["display_name", "phone", "notify_by_email", "notify_by_sms", "notify_by_push"] },
    });
    app.announce("Your profile is saved.");
  };
  const leave = (): void => {
    logOut(app);
    app.announce("You are logged out.");
    app.go("/");
  };
  const content = h(
    "div",
    { class: "narrow" },
    h("h1", {}, "Profile"),
    h("p", { class: "lead" }, profile.email),
    form({
      fields: [displayName, phone],
      content: [
        displayName.node,
        phone.node,
        h(
          "fieldset",
          { class: "checks" },
          h("legend", {}, "Tell me about my orders"),
          byEmail.node,
          bySms.node,
          byPush.node,
        ),
      ],
      submitLabel: "Save",
      submit: save,
    }),
    h("p", { class: "leave" }, h("button", { type: "button", class: "link-button", onclick: leave }, "Log out")),
  );
  return { title: "Profile", content };
}
