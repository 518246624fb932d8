//! How attributes are drawn, so that they go together: grey hair comes with age, light eyes with
//! light skin, a beard more often with a bald head.

use super::attributes::{
    Attributes, Background, Cloth, Earrings, Eyeglasses, Features, Hair, HairStyle, Hat, Pattern,
    Person, Scene, View, Wear,
};
use super::dice::Dice;
use super::palette;

impl Attributes {
    /// The attributes of face `index` of the set `seed`.
    pub fn draw(seed: u64, index: u64) -> Self {
        let mut dice = Dice::new(seed, index);
        let person = Person::draw(&mut dice);
        let view = View::draw(&mut dice);
        let features = Features::draw(&mut dice, &person);
        let mut hair = Hair::draw(&mut dice, &person);
        let wear = Wear::draw(&mut dice, &person, &hair);
        if wear.hat != Hat::None {
            hair.bangs = 0.0;
        }
        let scene = Scene::draw(&mut dice);
        Self { person, view, features, hair, wear, scene }
    }
}

/// 0 at `low`, 1 at `high` (which may be less), a line between, and constant outside.
fn ramp(x: f32, low: f32, high: f32) -> f32 {
    ((x - low) / (high - low)).clamp(0.0, 1.0)
}

impl Person {
    fn draw(dice: &mut Dice) -> Self {
        let feminine =
            if dice.chance(0.5) { dice.about(0.85, 0.08) } else { dice.about(0.15, 0.08) };
        Self {
            age: 18.0 + 62.0 * dice.between(0.0, 1.0).powf(1.8),
            feminine: feminine.clamp(0.0, 1.0),
            skin_tone: dice.between(0.0, 1.0).powf(1.15),
            skin_warmth: dice.between(0.0, 1.0),
        }
    }
}

impl View {
    fn draw(dice: &mut Dice) -> Self {
        Self {
            yaw: dice.about(0.0, 12.0),
            pitch: dice.about(0.0, 5.0),
            roll: dice.about(0.0, 4.5),
            zoom: dice.about(1.0, 0.035),
            shift: dice.about(0.0, 0.012),
        }
    }
}

impl Features {
    fn draw(dice: &mut Dice, person: &Person) -> Self {
        let Person { age, feminine, skin_tone, .. } = *person;
        let smile = dice.between(0.0, 1.0).powf(0.8) * 1.12 - 0.12;
        let open =
            if dice.chance(0.1 + 0.6 * smile.max(0.0)) { dice.between(0.3, 0.9) } else { 0.0 };
        let light_eyes = (1.0 - 1.8 * skin_tone).clamp(0.02, 1.0);
        let lipstick = if dice.chance(0.6 * feminine) { dice.between(0.3, 1.0) } else { 0.0 };
        let freckled = dice.chance(0.25 * ramp(skin_tone, 0.55, 0.1));
        Self {
            face_width: dice.about(0.985 - 0.025 * feminine, 0.028),
            face_length: dice.about(1.035 - 0.05 * feminine, 0.035),
            jaw: (dice.about(0.62, 0.16) - 0.38 * feminine).clamp(0.0, 1.0),
            cheeks: dice.between(0.0, 1.0),
            eye_size: dice.about(0.94 + 0.14 * feminine, 0.06),
            eye_open: dice.about(0.92, 0.1) - 0.14 * smile.max(0.0) - 0.1 * ramp(age, 45.0, 80.0),
            eye_tilt: dice.about(0.15, 0.35),
            eye_color: palette::Eyes::draw(dice, light_eyes),
            gaze: dice.about(0.0, 0.25),
            brow_thickness: dice.about(1.25 - 0.45 * feminine, 0.15),
            brow_arch: dice.between(0.2, 0.6) + 0.4 * feminine,
            brow_raise: dice.about(0.1, 0.35),
            nose_width: dice.about(1.02 - 0.16 * feminine + 0.14 * skin_tone, 0.08),
            nose_length: dice.about(1.0 - 0.04 * feminine, 0.05),
            lip_fullness: dice.about(0.85 + 0.3 * feminine + 0.2 * skin_tone, 0.12)
                - 0.2 * ramp(age, 45.0, 80.0),
            smile,
            mouth_open: open * (0.5 + 0.5 * smile.max(0.0)),
            lipstick,
            blush: dice.between(0.1, 0.5) + 0.3 * feminine * dice.between(0.0, 1.0),
            freckles: if freckled { dice.between(0.4, 1.0) } else { 0.0 },
            age_lines: ramp(age + dice.about(0.0, 4.0), 38.0, 78.0),
        }
    }
}

impl HairStyle {
    fn draw(dice: &mut Dice, person: &Person, baldness: f32) -> Self {
        if baldness > 0.85 {
            return Self::Bald;
        }
        let f = person.feminine;
        let (m, curly) = (1.0 - f, 0.25 + 0.75 * person.skin_tone);
        dice.pick(&[
            (Self::Buzz, 0.9 * m.powi(2)),
            (Self::Short, 2.6 * m + 0.35 * f),
            (Self::Curls, 1.1 * curly),
            (Self::Bob, 1.1 * f),
            (Self::Long, 1.9 * f + 0.14 * m),
            (Self::LongCurls, 1.2 * f * curly + 0.08 * m),
            (Self::Bun, 0.6 * f + 0.1 * m),
            (Self::Ponytail, 0.65 * f + 0.06 * m),
        ])
    }

    /// Least and greatest length, as in [`Hair::hair_length`].
    fn lengths(self) -> (f32, f32) {
        match self {
            Self::Bald => (0.0, 0.0),
            Self::Buzz => (0.03, 0.08),
            Self::Short => (0.1, 0.25),
            Self::Curls => (0.12, 0.35),
            Self::Bob => (0.4, 0.6),
            Self::Long => (0.7, 1.0),
            Self::LongCurls => (0.55, 0.9),
            Self::Bun => (0.5, 0.8),
            Self::Ponytail => (0.6, 0.9),
        }
    }

    /// How often hair of this style falls over the ears.
    fn covers_ears(self) -> f32 {
        match self {
            Self::Bob | Self::Long => 0.65,
            Self::LongCurls => 0.8,
            _ => 0.0,
        }
    }
}

impl Hair {
    fn draw(dice: &mut Dice, person: &Person) -> Self {
        let Person { age, feminine, skin_tone, .. } = *person;
        let m = 1.0 - feminine;
        let receding = m * (0.15 + 0.6 * ramp(age, 25.0, 75.0));
        let mut baldness =
            if dice.chance(receding) { dice.between(0.15, 1.15).min(1.0) } else { 0.0 };
        let hair_style = HairStyle::draw(dice, person, baldness);
        baldness = match hair_style {
            HairStyle::Bald => baldness,
            HairStyle::Buzz | HairStyle::Short => baldness * 0.8,
            _ => 0.0,
        };
        let (shortest, longest) = hair_style.lengths();
        let bangs = match hair_style {
            HairStyle::Bob => 0.55,
            HairStyle::Long => 0.35,
            HairStyle::Short => 0.14 + 0.14 * person.feminine,
            HairStyle::Bun | HairStyle::Ponytail => 0.2,
            _ => 0.0,
        };
        let bangs =
            if baldness < 0.3 && dice.chance(bangs) { dice.between(0.45, 1.0) } else { 0.0 };
        let ears_covered = dice.chance(hair_style.covers_ears());
        let curly = matches!(hair_style, HairStyle::Curls | HairStyle::LongCurls);
        let straight = dice.between(0.0, 0.6) * (0.6 + 0.4 * skin_tone);
        // A man without hair on his head is likelier to have it on his face.
        let bearded = dice.chance(m.powi(2) * (0.4 + 0.35 * baldness));
        let beard = if bearded { dice.between(0.3, 1.0) } else { 0.0 };
        let moustached = bearded || dice.chance(0.14 * m.powi(2));
        Self {
            hair_style,
            hair_color: palette::HairColor::draw(dice, skin_tone, feminine),
            hair_grey: ramp(age + dice.about(0.0, 9.0), 44.0, 74.0),
            hair_length: dice.between(shortest, longest),
            hair_curl: if curly { dice.between(0.75, 1.0) } else { straight },
            hair_volume: dice.between(0.2, 1.0) * (1.0 - 0.5 * baldness),
            hair_part: dice.between(0.2, 0.8) * if dice.chance(0.5) { 1.0 } else { -1.0 },
            ears_covered,
            bangs,
            baldness,
            beard,
            moustache: if moustached { dice.between(0.5, 1.0) } else { 0.0 },
        }
    }
}

impl Wear {
    fn draw(dice: &mut Dice, person: &Person, hair: &Hair) -> Self {
        let Person { age, feminine: f, .. } = *person;
        let tied_up = hair.hair_style == HairStyle::Bun;
        let big = hair.hair_style == HairStyle::Curls && hair.hair_volume > 0.6;
        let hatted = !tied_up && !big && dice.chance(0.17 + 0.1 * hair.baldness);
        let hat = dice.pick(&[
            (Hat::Beanie, 1.0),
            (Hat::Cap, 0.3 + 0.7 * (1.0 - f)),
            (Hat::Brimmed, 0.8),
            (Hat::Beret, 0.2 + 0.5 * f),
        ]);
        let bespectacled = dice.chance(0.2 + 0.3 * ramp(age, 40.0, 75.0));
        let glasses =
            [(Eyeglasses::Round, 1.0), (Eyeglasses::Square, 1.1), (Eyeglasses::Sun, 0.25)];
        let eyeglasses = dice.pick(&glasses);
        let adorned = !hair.ears_covered && dice.chance(0.06 + 0.6 * f);
        let earrings =
            [(Earrings::Studs, 1.0), (Earrings::Hoops, 1.2 * f), (Earrings::Drops, 1.2 * f)];
        let earrings = dice.pick(&earrings);
        let young = ramp(age, 60.0, 25.0);
        let cloth = dice.pick(&[
            (Cloth::Tee, 0.7 + 0.5 * young),
            (Cloth::VNeck, 0.5 + 0.4 * f),
            (Cloth::Shirt, 0.9),
            (Cloth::Turtleneck, 0.6),
            (Cloth::Hoodie, 0.8 * young),
            (Cloth::Blazer, 0.8),
        ]);
        let bare = matches!(cloth, Cloth::Tee | Cloth::VNeck);
        Self {
            eyeglasses: if bespectacled { eyeglasses } else { Eyeglasses::None },
            hat: if hatted { hat } else { Hat::None },
            earrings: if adorned { earrings } else { Earrings::None },
            necklace: bare && dice.chance(0.4 * f),
            cloth,
            pattern: dice.pick(&[
                (Pattern::Plain, 1.0),
                (Pattern::Stripes, if bare { 0.5 } else { 0.15 }),
                (Pattern::Dots, 0.2 * f),
            ]),
        }
    }
}

impl Scene {
    fn draw(dice: &mut Dice) -> Self {
        let side = if dice.chance(0.5) { 1.0 } else { -1.0 };
        Self {
            scheme: palette::Scheme::draw(dice),
            background: dice.pick(&[
                (Background::Studio, 1.0),
                (Background::Room, 0.7),
                (Background::Lights, 0.5),
            ]),
            background_light: dice.between(0.0, 1.0),
            light: side * dice.between(0.3, 1.0),
            contrast: dice.between(0.35, 1.0),
            light_warmth: dice.about(0.15, 0.4),
        }
    }
}
