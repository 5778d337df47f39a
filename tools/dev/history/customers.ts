import type { Clock } from "@weft/mesh/contract";
import { bucketFor, newId } from "@weft/mesh/data";
import { integerFrom, oneOf, type Random } from "./chance.ts";

/** Somebody who has bought here. */
export interface PastCustomer {
  readonly userId: string;
  readonly email: string;
  readonly displayName: string;
  readonly registeredAt: Date;
}

const DAY_MS = 86_400_000;
/** Since when the first of all customers has been one. Where a history begins can be told from that. */
export const FIRST_CUSTOMER_DAYS = 200;
/** Most have been customers for long; so many of a hundred have come in the course of the history. */
const NEWCOMERS_PERCENT = 35;

const FIRST_NAMES =
  "Aisha Alice Amara Andrés Anna Antoine Asha Astrid Ben Bilal Björn Camille Carla Chidi Chiara Clara Daan Daniel Daria David Elena Elif " +
  "Emil Emma Erik Esra Ewa Fatima Felix Finn Francesca Gabriel Greta Hana Hannah Henrik Hiro Ida Igor Ines Ingrid Isabel Ivan Jakob Jana Jan " +
  "João Jonas Julia Kaito Karim Katarzyna Kofi Lars Laura Lea Leila Leo Lena Linh Lotte Luca Lucía Maja Malik Marco Maria Marta Mateo Mei Mia " +
  "Miguel Mila Mina Miriam Nadia Nikos Nils Nina Noah Nora Olga Oliver Omar Paul Petra Pia Priya Rafael Ravi Rosa Ruth Sakura Samir Samuel Sara " +
  "Selin Sofia Stefan Svenja Tariq Teresa Theo Thomas Tomasz Valentina Vera Viktor Wei Yara Yusuf Zoé";
const LAST_NAMES =
  "Abbas Adeyemi Agarwal Almeida Andersson Bauer Becker Bernard Bianchi Brandt Castillo Chen Conti Costa Dahl Demir Diallo Dubois Eriksen Fernández " +
  "Ferrari Fischer Fontaine Fournier García Gruber Haas Hansen Hoffmann Horváth Huber Ito Ivanova Jansen Janssens Johansson Kaya Keller Khan Kim " +
  "Kowalski Krüger Lambert Lange Larsen Lefebvre Lindqvist López Mancini Marino Martins Mensah Meyer Moreau Müller Nakamura Navarro Nguyen Nielsen " +
  "Novák Nowak O’Brien Okafor Oliveira Olsen Papadopoulos Park Patel Pereira Peters Petrov Popescu Rahman Ramos Reyes Richter Rizzo Rossi Roux Ruiz " +
  "Santos Sato Schmidt Schneider Schulz Sharma Silva Singh Smit Sørensen Tanaka Torres Vasquez Visser Vogel Wagner Walker Wang Weber Wójcik Yılmaz Zhang";

/** Somebody to log in as who has a history to look at. Buys most of all. */
export const REGULAR = { email: "customer@shop.test", displayName: "Nora Lindqvist" } as const;

/** So many customers, the regular first; always the same ones for the same end of the history. */
export function createCustomers(
  count: number,
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
  random: Random,
): PastCustomer[] {
  const [firstNames, lastNames] = [FIRST_NAMES.split(" "), LAST_NAMES.split(" ")];
  const firstMs = untilMs - FIRST_CUSTOMER_DAYS * DAY_MS;
  const customers = [customerOf(REGULAR, firstMs, random)];
  const emails = new Set<string>([REGULAR.email]);
  while (customers.length < count) {
    const displayName = `${oneOf(random, firstNames)} ${oneOf(random, lastNames)}`;
    const email = addressOf(displayName, random);
    if (emails.has(email)) continue;
    emails.add(email);
    const isNew = random() * 100 < NEWCOMERS_PERCENT;
    // Time enough for a first order.
    const [first, last] = isNew ? [fromMs, untilMs - DAY_MS / 2] : [firstMs, fromMs];
    customers.push(customerOf({ email, displayName }, Math.floor(first + random() * (last - first)), random));
  }
  return customers;
}

function customerOf(who: { email: string; displayName: string }, registeredMs: number, random: Random): PastCustomer {
  const clock: Clock = { now: () => registeredMs, monotonic: () => 0 };
  const userId = newId("usr", bucketFor(who.email), { clock, random });
  return { userId, ...who, registeredAt: new Date(registeredMs) };
}

/** At domains that are set apart for examples: whatever is sent there reaches nobody. */
function addressOf(displayName: string, random: Random): string {
  const plain = displayName
    .toLowerCase()
    .replaceAll("ø", "o")
    .replaceAll("ı", "i")
    .normalize("NFD")
    .replaceAll(/[^a-z ]/g, "");
  const [first = "", last = ""] = plain.split(" ");
  const local = oneOf(random, [`${first}.${last}`, `${first}${last}`, `${first[0]}.${last}`, `${last}.${first}`]);
  const number = random() < 0.25 ? integerFrom(random, 1, 99) : "";
  return `${local}${number}@example.${oneOf(random, ["com", "com", "org", "net"])}`;
}
