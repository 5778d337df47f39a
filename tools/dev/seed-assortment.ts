/** A word and a number: a thing and its cents, or a kind or size and the percentage that it makes of the price. */
export type Rated = readonly [word: string, rate: number];

/** What one category's products are put together from. */
export interface Assortment {
  /** As the catalog has it. */
  readonly category: string;
  readonly things: readonly Rated[];
  readonly kinds: readonly Rated[];
  readonly sizes: readonly Rated[];
  /** `{thing}` and `{kind}` stand for the product's words. */
  readonly sentences: readonly string[];
  readonly closings: readonly string[];
}

const pieces =
  "small 84; medium 100; large 124; pair 182; set of three 265; set of four 345; set of six 495; gift box 160; seconds 62";

/** Twelve categories, each with more combinations of thing, kind and size than products are made of it. */
export const ASSORTMENTS: readonly Assortment[] = [
  {
    category: "coffee-beans",
    things: rated(
      "espresso 990; filter roast 1090; crema 890; decaf 1050; cold-brew roast 1150; omniroast 1190; breakfast blend 850; microlot 1690",
    ),
    kinds: rated(
      "Sidamo 105; Yirgacheffe 115; Huila 100; Antigua 104; Tarrazú 110; Mogiana 88; Cerrado 86; Nyeri 122; Kirinyaga 120; Gayo 98; " +
        "Mandheling 97; Malabar 90; Chiapas 94; Marcala 96; Cajamarca 95; Rwenzori 99; Kivu 102; Boquete 180; Matagalpa 93; Apaneca 98",
    ),
    sizes: rated("250 g 100; 500 g 188; 1 kg 350; 250 g, ground 103; 100 g sample 52; 400 g tin 165"),
    sentences: [
      "{kind} coffee, roasted slowly in a drum; apricot and brown sugar.",
      "A {thing} of coffee beans from {kind}: chocolate, hazelnut, little acid.",
      "Washed coffee from {kind}; bergamot, honey and a long finish.",
      "Coffee beans dried in the sun of {kind}; red berries and cocoa.",
    ],
    closings: ["Roasted on Tuesdays, posted on Wednesdays.", "Bought from the growers.", "Best within eight weeks."],
  },
  {
    category: "coffee-gear",
    things: rated(
      "hand grinder 6900; dripper 2290; French press 3990; gooseneck kettle 5290; stovetop pot 3490; milk jug 1890; " +
        "tamper 2690; brewing stand 3990; server 2190; storage tin 1590",
    ),
    kinds: rated(
      "Steel 100; Brushed steel 108; Copper 145; Brass 135; Black 92; White 90; Enamel 95; Walnut 125; Ash 112; Matt black 104; " +
        "Sand 98; Olive 99; Aluminium 84; Cork-clad 101; Titanium 190",
    ),
    sizes: rated("for one 82; for two 100; for four 124; for six 142; for the office 175; for the journey 90"),
    sentences: [
      "{kind} {thing} for coffee: exact, and quiet about it.",
      "A {thing} made for every morning's coffee; finish: {kind}.",
      "Takes apart without tools; each part of this coffee tool can be bought singly.",
      "Stands firmly and makes good coffee without a fuss. Finish: {kind}.",
    ],
    closings: ["Ten years' guarantee.", "Wash by hand.", "Spare parts in stock.", "Made in small series."],
  },
  {
    category: "tea",
    things: rated(
      "black tea 790; green tea 890; oolong 1290; white tea 1490; herbal tea 590; rooibos 550; chai 690; fruit tea 520; smoked tea 940; mint tea 560",
    ),
    kinds: rated(
      "Mountain 100; Garden 90; Winter 102; Evening 95; Morning 96; Harbour 104; Orchard 92; Library 108; Monsoon 98; Highland 115; " +
        "Riverside 97; Festival 125; Sunday 101; Meadow 91; First flush 140",
    ),
    sizes: rated("100 g 100; 250 g 225; 50 g caddy 78; 500 g 410; 20 bags 68; 50 bags 145"),
    sentences: [
      "{kind} {thing}, a tea of whole leaves; bright in the cup and kind to a second infusion.",
      "A tea for long afternoons. Three minutes, water just off the boil.",
      "Tea picked by hand, dried in the shade: clear, light and a little sweet.",
      "Honey and a gentle end. This tea is good cold, too.",
    ],
    closings: ["Organic.", "From one garden.", "Packed without plastic.", "Keep dry and dark."],
  },
  {
    category: "knives",
    things: rated(
      "chef's knife 8900; paring knife 2900; bread knife 6400; santoku 9400; boning knife 5400; carving knife 7200; " +
        "vegetable cleaver 9900; utility knife 4200; steak knife 3400; filleting knife 5900",
    ),
    kinds: rated(
      "Oak-handled 100; Walnut-handled 110; Olive-wood 118; Plum-wood 122; Beech-handled 88; Juniper 106; Ebonized 115; Bog-oak 165; " +
        "Cherry 104; Maple 102; Micarta 109; Damascus 240; Carbon-steel 112; Stainless 92; Forged 120",
    ),
    sizes: rated("small 86; medium 100; large 122; left-handed 112; with sheath 131; set of two 188"),
    sentences: [
      "{kind} {thing}, ground thin by hand and sharp on arrival.",
      "A {thing} that holds its edge through a week of onions.",
      "Full tang and three rivets; balanced at the bolster.",
      "Light for its size: this {thing} is thinner behind the edge than most.",
    ],
    closings: ["Wash by hand, dry at once.", "Sharpened free of charge for life.", "From a forge of four people."],
  },
  {
    category: "cookware",
    things: rated(
      "frying pan 5900; sauté pan 7900; saucepan 4900; casserole 9900; stock pot 8400; wok 6400; griddle 5400; roasting tin 4400; " +
        "milk pan 3400; steamer 3900",
    ),
    kinds: rated(
      "Iron 90; Cast-iron 105; Carbon-steel 98; Enamelled 118; Copper 230; Three-ply 140; Five-ply 175; Aluminium 78; Blue-steel 96; " +
        "Ceramic-coated 88; Hammered 128; Stainless 100; Brushed 104",
    ),
    sizes: rated("16 cm 74; 20 cm 88; 24 cm 100; 28 cm 119; 32 cm 141; 24 cm, with lid 122; 28 cm, with lid 146"),
    sentences: [
      "{kind} {thing} for all hobs, induction too, and for the oven.",
      "Heats evenly and keeps it: a {thing} for stews, sauces and patience.",
      "Made ready twice before it leaves the workshop; riveted handle.",
      "This {thing} is heavier than it looks and will outlast its owner.",
    ],
    closings: ["Thirty years' guarantee.", "Not for the dishwasher.", "Oven-proof to 260 degrees."],
  },
  {
    category: "tableware",
    things: rated(
      "plate 1690; soup bowl 1590; mug 1390; serving bowl 3490; platter 3990; carafe 2890; tumbler 990; teapot 4490; egg cup 790; " +
        "salt cellar 1190; butter dish 2490",
    ),
    kinds: rated(
      "Stoneware 100; Porcelain 112; Earthenware 84; Speckled 104; Celadon 128; Cobalt 118; Ochre 103; Chalk 98; Charcoal 105; " +
        "Sea-green 107; Rust 102; Ribbed 101; Salt-glazed 134",
    ),
    sizes: rated(pieces),
    sentences: [
      "{kind} {thing}, thrown on the wheel; each is a little different.",
      "A {thing} for every day: stacks well, chips seldom.",
      "Glazed by dipping, fired twice, with a bare foot.",
      "The {thing} that the restaurant round the corner has used for years.",
    ],
    closings: ["Dishwasher-proof.", "Microwave-proof.", "Fired with wood.", "Made within forty kilometres."],
  },
  {
    category: "linens",
    things: rated(
      "kitchen towel 1290; napkin 890; tablecloth 5900; apron 3490; bath towel 2990; pillowcase 2490; duvet cover 9900; cushion cover 2900; " +
        "bedspread 8900; curtain 7900",
    ),
    kinds: rated(
      "Linen 100; Half-linen 82; Washed-linen 110; Cotton 70; Organic-cotton 80; Waffle 86; Herringbone 104; Plain-weave 90; Hemp 106; " +
        "Jacquard 150; Indigo 118; Undyed 96; Striped 94; Checked 95",
    ),
    sizes: rated(pieces),
    sentences: [
      "{kind} {thing}, woven on shuttle looms and hemmed by hand.",
      "A {thing} that gets softer with every wash.",
      "Heavy cloth with a woven edge; the colours are fast.",
      "Plain, square and well made: a {thing} to keep.",
    ],
    closings: ["Wash at 60 degrees.", "Woven in one mill.", "Comes in a cotton bag.", "Mended free of charge."],
  },
  {
    category: "lighting",
    things: rated(
      "desk lamp 9900; pendant 12900; floor lamp 18900; wall lamp 8400; bedside lamp 6900; lantern 5400; table lamp 7400; reading lamp 8900; " +
        "ceiling lamp 11900; night light 2900",
    ),
    kinds: rated(
      "Brass 100; Copper 112; Opal-glass 96; Smoked-glass 104; Steel 84; Ash 92; Oak 98; Walnut 118; Paper 66; Linen 74; Rattan 78; " +
        "Ceramic 94; Enamel 88; Alabaster 190",
    ),
    sizes: rated("small 82; medium 100; large 134; dimmable 118; with switch 104; pair 186"),
    sentences: [
      "{kind} {thing}, finished by hand; fabric cable, bulb included.",
      "Warm light without glare. The {thing} stays where it is put.",
      "A {thing} that is drawn to be repaired: every part is screwed.",
      "Throws light on the page and leaves the rest of the room in peace.",
    ],
    closings: ["Takes E27 bulbs.", "Cable of two metres.", "Five years' guarantee."],
  },
  {
    category: "home",
    things: rated(
      "vase 4400; box 2900; wall clock 6900; mirror 9400; shelf 7900; stool 8900; coat rack 11900; picture frame 2490; umbrella stand 6400; " +
        "tray 3400; side table 13900",
    ),
    kinds: rated(
      "Oak 110; Ash 102; Walnut 135; Birch 90; Brass 128; Blackened-steel 108; Ceramic 96; Terrazzo 124; Bamboo 76; Rattan 86; Cherry 118; " +
        "Lacquered 104; Painted 94",
    ),
    sizes: rated(pieces),
    sentences: [
      "{kind} {thing}, made by hand and numbered.",
      "A {thing} that has its place in the hall, and in any other room.",
      "Simple joints, quiet surface, no screws to be seen.",
      "This {thing} began as a piece for our own workshop.",
    ],
    closings: ["Arrives in one piece, or is replaced.", "Signed underneath.", "Delivered in paper, not in foam."],
  },
  {
    category: "stationery",
    things: rated(
      "notebook 1490; sketchbook 1790; fountain pen 4900; ballpoint pen 1990; pencil case 2290; ink 1290; letter paper 1190; desk pad 3490; " +
        "calendar 2200; ruler 890; address book 1690",
    ),
    kinds: rated(
      "Midnight-blue 108; Oxblood 110; Bottle-green 108; Ochre 102; Slate 100; Ivory 98; Terracotta 103; Studio 105; Archive 118; Atelier 124; " +
        "Traveller's 115; Architect's 128; Writer's 112",
    ),
    sizes: rated("single 100; with sleeve 128; pair 185; set of three 260; gift box 180; limited edition 150"),
    sentences: [
      "{kind} {thing} for those who still write by hand.",
      "Nothing bleeds, nothing blots; the {thing} for a good desk.",
      "Made one at a time, in colours that last: {kind}.",
      "A {thing} for the desk, and for the bag.",
    ],
    closings: ["Printed in the town.", "Refills in stock.", "Paper from certified forests."],
  },
  {
    category: "outdoor",
    things: rated(
      "bottle 2450; tarp 7900; stove 3900; hammock 6900; head torch 4290; sleeping bag 18900; camp chair 8400; cooking set 5900; " +
        "pocket knife 2950; cool bag 4900; picnic rug 5400",
    ),
    kinds: rated(
      "Alpine 128; Coastal 102; Woodland 99; Winter 134; Ultralight 145; Moss-green 100; Recycled 94; Ridge 108; Fjord 116; Tundra 122; " +
        "Basecamp 104; Trail 96; Storm 126",
    ),
    sizes: rated("compact 92; regular 100; large 126; expedition 165; with pouch 110; set of two 188"),
    sentences: [
      "{kind} {thing}, tried for a wet October in the hills.",
      "Packs small, dries fast, mends easily: a {thing} for long ways.",
      "Taped, riveted and sewn twice where it matters.",
      "The {thing} weighs less than it seems and bears more.",
    ],
    closings: ["Repaired free of charge for five years.", "Packed without plastic.", "Made for rain."],
  },
  {
    category: "bags",
    things: rated(
      "rucksack 11900; tote 4900; messenger bag 10900; weekender 16900; wash bag 3900; tool roll 4400; laptop sleeve 4900; purse 3400; " +
        "belt bag 4200; market bag 2400; pannier 8900",
    ),
    kinds: rated(
      "Waxed-canvas 110; Canvas 92; Leather 185; Saddle-leather 210; Cordura 100; Sailcloth 96; Felt 88; Loden 122; Denim 90; Cotton 78; " +
        "Oilskin 108; Tweed 114; Recycled 94",
    ),
    sizes: rated("small 84; medium 100; large 124; with zip 112; lined 118; limited colour 130"),
    sentences: [
      "{kind} {thing} with leather straps; gets better with rain.",
      "One large pocket and two small ones: a {thing} without secrets.",
      "Stitched with waxed thread, riveted where it pulls.",
      "A {thing} that has been to school, to work and over the Alps.",
    ],
    closings: ["Repaired for life.", "Cut and sewn in one workshop.", "Care: a brush, now and then."],
  },
];

/** "espresso 990; 250 g, ground 103": words that end in a number. */
function rated(text: string): Rated[] {
  return text.split("; ").map((item) => {
    const at = item.lastIndexOf(" ");
    return [item.slice(0, at), Number(item.slice(at + 1))];
  });
}
