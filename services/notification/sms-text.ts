/** Characters that one text message carries in the GSM alphabet (3GPP TS 23.038); a longer one is sent, and paid, as several. */
export const smsLengthMax = 160;

const basic = new Set(
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);
/** Each takes the place of two. */
const extended = new Set("^{}\\[~]|€");
const alike: Readonly<Record<string, string>> = {
  ...{ "‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"' },
  ...{ "‐": "-", "‑": "-", "–": "-", "—": "-", "−": "-", "…": "...", "×": "x", "•": "*", "\u00a0": " " },
  ...{ ł: "l", Ł: "L", đ: "d", Đ: "D", ı: "i", œ: "oe", Œ: "OE" },
};

/**
 * A text in the GSM alphabet: what it lacks becomes what looks like it, or "?". A single other character would halve what a text
 * message holds.
 */
export function gsmText(text: string): string {
  return Array.from(text.normalize("NFC"), gsmCharacter).join("");
}

/** How many places a text in the GSM alphabet takes. */
export function gsmLength(text: string): number {
  return Array.from(text).reduce((length, character) => length + (extended.has(character) ? 2 : 1), 0);
}

/** The text up to a number of places, with "..." where it was cut. */
export function gsmShortened(text: string, lengthMax: number): string {
  if (gsmLength(text) <= lengthMax) return text;
  let kept = "";
  let length = "...".length;
  for (const character of text) {
    length += gsmLength(character);
    if (length > lengthMax) break;
    kept += character;
  }
  return `${kept.trimEnd()}...`;
}

function gsmCharacter(character: string): string {
  if (isGsm(character)) return character;
  const found = alike[character];
  if (found !== undefined) return found;
  const bare = character.normalize("NFKD").replace(/\p{Mark}/gu, "");
  return bare !== "" && Array.from(bare).every(isGsm) ? bare : "?";
}

function isGsm(character: string): boolean {
  return basic.has(character) || extended.has(character);
}
