import { generateProducts } from "./seed-products.ts";

/** One product of the demo assortment. */
export interface SeedProduct {
  readonly sku: string;
  readonly name: string;
  readonly description: string;
  readonly category: string;
  /** Cents of a euro. */
  readonly minorUnits: bigint;
  /** What lies in the warehouse at first. */
  readonly stock: number;
}

type Row = readonly [
  sku: string,
  name: string,
  description: string,
  category: string,
  minorUnits: bigint,
  stock: number,
];

const ROWS: readonly Row[] = [
  [
    "COF-ESPRESSO-250",
    "Espresso Nero, 250 g",
    "Dark roast of Brazilian and Indian beans; chocolate, little acid.",
    "coffee-beans",
    890n,
    400,
  ],
  [
    "COF-ESPRESSO-1000",
    "Espresso Nero, 1 kg",
    "The same dark roast in the large bag, for offices and the very awake.",
    "coffee-beans",
    2990n,
    150,
  ],
  [
    "COF-FILTER-250",
    "Filter Sidamo, 250 g",
    "Light roast from Ethiopia; bergamot and apricot. For pour-over and press.",
    "coffee-beans",
    1090n,
    300,
  ],
  [
    "COF-DECAF-250",
    "Decaf Mountain Water, 250 g",
    "Mexican beans, decaffeinated with water alone; hazelnut and cane sugar.",
    "coffee-beans",
    990n,
    180,
  ],
  [
    "COF-GRINDER-HAND",
    "Hand grinder, steel burrs",
    "Conical steel burrs, 30 g hopper, from espresso to press in 24 clicks.",
    "coffee-gear",
    7900n,
    60,
  ],
  [
    "COF-PRESS-800",
    "French press, 0.8 l",
    "Double-walled steel, keeps coffee hot for an hour. Filter in two layers.",
    "coffee-gear",
    4450n,
    75,
  ],
  [
    "COF-DRIPPER-02",
    "Porcelain dripper 02",
    "For one to four cups; takes paper filters of size 02.",
    "coffee-gear",
    2490n,
    120,
  ],
  [
    "COF-FILTERS-100",
    "Paper filters 02, 100 pieces",
    "Unbleached, oxygen-rinsed, no taste of paper.",
    "coffee-gear",
    590n,
    800,
  ],
  [
    "COF-KETTLE-GOOSE",
    "Gooseneck kettle, 1 l",
    "Slow and exact pouring; for induction, gas and electric hobs.",
    "coffee-gear",
    5490n,
    45,
  ],
  ["COF-SCALE", "Brewing scale with timer", "To 0.1 g and 2 kg; charges over USB-C.", "coffee-gear", 3990n, 55],
  [
    "KIT-KNIFE-CHEF-20",
    "Chef's knife, 20 cm",
    "Forged carbon steel, oak handle. Sharp on arrival; wash by hand.",
    "knives",
    8900n,
    40,
  ],
  ["KIT-KNIFE-PARING", "Paring knife, 9 cm", "For whatever is too small for the large one.", "knives", 2900n, 90],
  ["KIT-BOARD-OAK", "Cutting board, oak", "End grain, 40 by 30 cm, oiled. Kind to blades.", "cookware", 6400n, 50],
  [
    "KIT-PAN-IRON-28",
    "Iron pan, 28 cm",
    "Hand-forged, seasoned twice. Lasts longer than its owner.",
    "cookware",
    7450n,
    35,
  ],
  [
    "KIT-POT-ENAMEL-5",
    "Enamel pot, 5 l",
    "For soup, jam and pasta for eight; all hobs and the oven.",
    "cookware",
    5900n,
    48,
  ],
  ["KIT-WHISK", "Balloon whisk, steel", "Eleven wires, 25 cm.", "cookware", 1490n, 160],
  [
    "KIT-TOWEL-LINEN-2",
    "Linen kitchen towels, pair",
    "Woven in half-linen with a herringbone edge; dries without lint.",
    "linens",
    1990n,
    220,
  ],
  ["KIT-JAR-1000-6", "Preserving jars, 1 l, six", "With rubber rings and clips.", "cookware", 2390n, 110],
  [
    "HOM-BLANKET-WOOL",
    "Wool blanket, 150 by 200 cm",
    "Merino from one mill, herringbone twill, undyed.",
    "linens",
    12900n,
    30,
  ],
  ["HOM-CUSHION-WEAVE", "Cushion, plain weave", "Linen cover, feather filling, 45 by 45 cm.", "linens", 3900n, 85],
  [
    "HOM-CANDLE-BEESWAX",
    "Beeswax candles, four",
    "Poured by hand, burn for twelve hours each.",
    "lighting",
    1890n,
    140,
  ],
  ["HOM-LAMP-DESK", "Desk lamp, brass", "Turned brass, fabric cable, bulb included.", "lighting", 9900n, 25],
  [
    "HOM-VASE-STONE",
    "Stoneware vase",
    "Thrown on the wheel, matt glaze, 22 cm; each is a little different.",
    "home",
    4400n,
    32,
  ],
  [
    "HOM-RUG-COTTON",
    "Cotton rug, 70 by 140 cm",
    "Handwoven from offcuts of the mill; can be washed.",
    "home",
    5900n,
    38,
  ],
  ["HOM-BASKET-WILLOW", "Willow basket", "For wood, laundry or the cat.", "home", 4900n, 42],
  [
    "HOM-CLOCK-WALL",
    "Wall clock, ash",
    "Silent movement, 30 cm, numbers that can be read from bed.",
    "home",
    6900n,
    28,
  ],
  ["PAP-NOTEBOOK-A5", "Notebook A5, dotted", "192 pages of 100 g paper, sewn, lies flat.", "stationery", 1690n, 350],
  ["PAP-NOTEBOOK-A6", "Notebook A6, plain", "For the pocket; rounded corners.", "stationery", 990n, 420],
  ["PAP-PEN-FOUNTAIN", "Fountain pen, medium", "Steel nib, takes cartridges and a converter.", "stationery", 3450n, 70],
  ["PAP-INK-BLACK", "Ink, black, 50 ml", "Document-proof, dries in seconds.", "stationery", 1290n, 200],
  ["PAP-PENCILS-12", "Pencils, twelve, HB to 4B", "Cedar, in a tin.", "stationery", 1590n, 190],
  ["PAP-CALENDAR-WALL", "Wall calendar", "Letterpress, one month a sheet, no pictures.", "stationery", 2200n, 65],
  [
    "OUT-BOTTLE-750",
    "Steel bottle, 0.75 l",
    "Single-walled, fits on a bicycle and over a fire.",
    "outdoor",
    2450n,
    260,
  ],
  [
    "OUT-RUCKSACK-22",
    "Rucksack, waxed canvas, 22 l",
    "Roll top, leather straps; gets better with rain.",
    "bags",
    13900n,
    22,
  ],
  ["OUT-TARP-3X3", "Tarp, 3 by 3 m", "Ripstop nylon, sixteen loops, 680 g.", "outdoor", 8900n, 27],
  ["OUT-STOVE-ALCOHOL", "Alcohol stove", "Brass, 110 g, boils half a litre in seven minutes.", "outdoor", 2990n, 58],
  ["OUT-HAMMOCK", "Hammock, cotton", "Woven for two; holds 200 kg.", "outdoor", 7900n, 33],
  ["OUT-TORCH-HEAD", "Head torch", "400 lumen, red light, USB-C.", "outdoor", 4290n, 95],
  ["OUT-KNIFE-POCKET", "Pocket knife", "One blade, carbon steel, beech handle.", "outdoor", 1950n, 130],
  [
    "LTD-SCARF-ANNIVERSARY",
    "Anniversary scarf, limited",
    "Jacquard in nine colours; the loom was taken apart afterwards.",
    "linens",
    18900n,
    5,
  ],
];

const CHOSEN: readonly SeedProduct[] = ROWS.map(([sku, name, description, category, minorUnits, stock]) => ({
  sku,
  name,
  description,
  category,
  minorUnits,
  stock,
}));

const COUNT = 10_000;

/** What a new shop sells: forty products chosen by hand, one of them nearly sold out, and what a generator makes of its words. */
export const SEED_PRODUCTS: readonly SeedProduct[] = [
  ...CHOSEN,
  ...generateProducts(COUNT - CHOSEN.length, CHOSEN.length + 1),
];

/** An account that staff log in with. */
export interface SeedAccount {
  readonly email: string;
  readonly displayName: string;
  readonly scopes: readonly string[];
}

/** What the demo accounts log in with. For demonstrations only, and known to everybody. */
export const SEED_PASSWORD = "weft-demo-2026";

export const SEED_ACCOUNTS: readonly SeedAccount[] = [
  { email: "clerk@shop.test", displayName: "Clara Clerk", scopes: ["customer", "warehouse"] },
  { email: "manager@shop.test", displayName: "Max Manager", scopes: ["customer", "manager"] },
];
