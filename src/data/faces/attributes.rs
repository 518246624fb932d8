//! Who is in the portrait: every number and choice.

use serde::Serialize;

use super::palette;

/// Everything that tells one portrait from another. Numbers without a unit are shares of 1; an
/// angle is in degrees. Left and right are the viewer's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attributes {
    /// The person.
    #[serde(flatten)]
    pub person: Person,
    /// The camera.
    #[serde(flatten)]
    pub view: View,
    /// Shapes of the head and of the features.
    #[serde(flatten)]
    pub features: Features,
    /// Hair of the head and of the face.
    #[serde(flatten)]
    pub hair: Hair,
    /// Clothes and what else is worn.
    #[serde(flatten)]
    pub wear: Wear,
    /// Background and light.
    #[serde(flatten)]
    pub scene: Scene,
}

/// What most other attributes depend on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Person {
    /// Years, 18 to 80.
    pub age: f32,
    /// 0 is a masculine face, 1 a feminine one.
    pub feminine: f32,
    /// 0 is light, 1 is dark.
    pub skin_tone: f32,
    /// 0 is rosy, 1 is golden.
    pub skin_warmth: f32,
}

/// Where the head points.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// Turn to the right.
    pub yaw: f32,
    /// Turn upwards.
    pub pitch: f32,
    /// Lean to the right.
    pub roll: f32,
    /// Size of the head, 1 on average.
    pub zoom: f32,
    /// Place of the head to the right of the middle, as a share of the picture.
    pub shift: f32,
}

/// Shapes; 1 is the average where it is a size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Features {
    /// Width of the face.
    pub face_width: f32,
    /// Length of the chin.
    pub face_length: f32,
    /// 0 is a narrow jaw, 1 a square one.
    pub jaw: f32,
    /// Fullness of the cheeks.
    pub cheeks: f32,
    /// Size of the eyes.
    pub eye_size: f32,
    /// How far the lids are open.
    pub eye_open: f32,
    /// How far the outer corners are raised, -1 to 1.
    pub eye_tilt: f32,
    /// Colour of the irises.
    pub eye_color: palette::Eyes,
    /// Where the eyes look, -1 to 1 from left to right.
    pub gaze: f32,
    /// Thickness of the brows.
    pub brow_thickness: f32,
    /// Arch of the brows.
    pub brow_arch: f32,
    /// How far the brows are raised, -1 to 1.
    pub brow_raise: f32,
    /// Width of the nose.
    pub nose_width: f32,
    /// Length of the nose.
    pub nose_length: f32,
    /// Fullness of the lips.
    pub lip_fullness: f32,
    /// -0.3 is sullen, 1 is beaming.
    pub smile: f32,
    /// How far the mouth is open; teeth show above 0.15.
    pub mouth_open: f32,
    /// Strength of the lipstick.
    pub lipstick: f32,
    /// Redness of the cheeks.
    pub blush: f32,
    /// Strength of freckles.
    pub freckles: f32,
    /// Strength of the lines of age.
    pub age_lines: f32,
}

/// How the hair is worn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HairStyle {
    /// None on top, perhaps a rim at the sides.
    Bald,
    /// Cropped to the skull.
    Buzz,
    /// Short, brushed to one side.
    Short,
    /// Short curls, up to an afro.
    Curls,
    /// Down to the jaw.
    Bob,
    /// Down over the shoulders, straight or wavy.
    Long,
    /// Curls down to the shoulders.
    LongCurls,
    /// Tied up on top of the head.
    Bun,
    /// Tied at the back, falling beside the neck.
    Ponytail,
}

/// Hair of the head and of the face.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hair {
    /// How it is worn.
    pub hair_style: HairStyle,
    /// Colour before it turned grey.
    pub hair_color: palette::HairColor,
    /// Share of grey.
    pub hair_grey: f32,
    /// 0 is none, 1 is over the shoulders.
    pub hair_length: f32,
    /// 0 is straight, 1 is curly.
    pub hair_curl: f32,
    /// Height above the skull.
    pub hair_volume: f32,
    /// Where the hair is parted, -1 to 1 from left to right.
    pub hair_part: f32,
    /// Whether it falls over the ears.
    pub ears_covered: bool,
    /// How far bangs come down the forehead.
    pub bangs: f32,
    /// How far the hairline has receded; 1 is bald.
    pub baldness: f32,
    /// Strength of the beard.
    pub beard: f32,
    /// Strength of the moustache.
    pub moustache: f32,
}

/// Kinds of eyeglasses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Eyeglasses {
    /// None.
    None,
    /// Round.
    Round,
    /// Rectangular.
    Square,
    /// Dark lenses.
    Sun,
}

/// Kinds of hats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hat {
    /// None.
    None,
    /// Knitted, with a folded rim.
    Beanie,
    /// With a visor.
    Cap,
    /// With a brim all around.
    Brimmed,
    /// Soft and tilted.
    Beret,
}

/// Kinds of earrings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Earrings {
    /// None.
    None,
    /// Small.
    Studs,
    /// Rings.
    Hoops,
    /// Hanging.
    Drops,
}

/// Kinds of clothes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cloth {
    /// Round neck.
    Tee,
    /// Pointed neck.
    VNeck,
    /// With a collar.
    Shirt,
    /// Up to the chin.
    Turtleneck,
    /// With a hood behind the neck.
    Hoodie,
    /// Jacket over a shirt.
    Blazer,
}

/// What is woven or printed on the clothes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// Nothing.
    Plain,
    /// Across.
    Stripes,
    /// Dots.
    Dots,
}

/// Clothes and what else is worn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wear {
    /// Eyeglasses.
    pub eyeglasses: Eyeglasses,
    /// Hat.
    pub hat: Hat,
    /// Earrings; there are none where hair covers the ears.
    pub earrings: Earrings,
    /// Whether there is a necklace.
    pub necklace: bool,
    /// Clothes.
    pub cloth: Cloth,
    /// Pattern of the clothes.
    pub pattern: Pattern,
}

/// Kinds of backgrounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Background {
    /// A lit wall.
    Studio,
    /// A room out of focus.
    Room,
    /// Lights out of focus.
    Lights,
}

/// Background and light.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scene {
    /// Colours of background and clothes.
    pub scheme: palette::Scheme,
    /// What stands behind the person.
    pub background: Background,
    /// Brightness of the background.
    pub background_light: f32,
    /// Where the light comes from, -1 to 1 from left to right.
    pub light: f32,
    /// How strong the shadows are.
    pub contrast: f32,
    /// Colour of the light, -1 to 1 from cool to warm.
    pub light_warmth: f32,
}
