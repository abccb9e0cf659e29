"""Chinese captions."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from gpu_workers.demo.image_training.scenes import Group, Landscape, Objects, third

SHAPES = {
    "circle": ("圆形", "圆", "圆"),
    "square": ("正方形", "方块", "方形"),
    "triangle": ("三角形", "三角"),
    "star": ("星星", "五角星", "星形"),
    "diamond": ("菱形",),
    "ring": ("圆环", "环形", "环"),
    "heart": ("爱心", "心形", "心"),
    "cross": ("十字", "十字形"),
}
COLOURS = {
    "red": ("红色", "红"),
    "orange": ("橙色", "橙"),
    "yellow": ("黄色", "黄"),
    "green": ("绿色", "绿"),
    "blue": ("蓝色", "蓝"),
    "purple": ("紫色", "紫"),
    "pink": ("粉色", "粉红色"),
    "white": ("白色", "白"),
    "black": ("黑色", "黑"),
    "grey": ("灰色", "灰"),
}
NUMBERS = {1: ("一", "一", "1"), 2: ("两", "两", "2", "二"), 3: ("三", "3"), 4: ("四", "4")}
SIZES = {"small": ("小", "小小的"), "large": ("大", "很大的")}
PLACES = {
    (0, 0): ("左上角", "左上方"),
    (1, 0): ("上方", "上面", "顶部"),
    (2, 0): ("右上角", "右上方"),
    (0, 1): ("左边", "左侧"),
    (1, 1): ("中间", "中央", "正中"),
    (2, 1): ("右边", "右侧"),
    (0, 2): ("左下角", "左下方"),
    (1, 2): ("下方", "下面", "底部"),
    (2, 2): ("右下角", "右下方"),
}
ARRANGEMENTS = {
    "row": ("排成一排", "横着排列", "并排"),
    "column": ("排成一列", "竖着排列", "上下排列"),
    "grid": ("排成两行", "排成方阵"),
    "scattered": ("散落", "随意分布"),
}
PAIRS = {
    "beside": (
        "{0}在{1}的左边",
        "{0}在{1}左边",
        "{1}在{0}的右边",
        "左边是{0}，右边是{1}",
        "左边{0}，右边{1}",
        "{0}和{1}并排",
        "{0}和{1}",
    ),
    "above": (
        "{0}在{1}的上面",
        "{0}在{1}上方",
        "{1}在{0}的下面",
        "上面是{0}，下面是{1}",
        "上面{0}，下面{1}",
        "{0}和{1}",
    ),
}
ON_BACKGROUND = (
    "{1}背景上的{0}",
    "{1}背景上的{0}",
    "{1}背景，{0}",
    "{0}，{1}背景",
    "{0}，背景是{1}",
    "在{1}背景上有{0}",
    "{1}底上的{0}",
)
OPENINGS = ("", "", "", "", "画", "请画", "画一张图：", "帮我画", "一张图片，", "生成")
CLOSINGS = ("", "", "", "", "", "。", "，简单", "，高清")

SKIES = {
    "day": ("白天", "晴天", "白天的", "阳光下"),
    "sunset": ("日落", "黄昏", "傍晚", "夕阳下"),
    "night": ("夜晚", "晚上", "夜里", "星空下"),
}
LANDS = {
    "meadow": ("草地", "田野", "平地"),
    "hills": ("小山", "山丘", "绿色的山丘"),
    "mountains": ("雪山", "高山", "大山"),
}
BY_WATER = {"lake": ("湖边", "湖边的", "湖水旁"), "sea": ("海边", "海边的", "大海旁")}
BOATS = ("一只小船", "小船", "帆船", "一条船")
TREES = {"round": ("树", "圆树"), "pine": ("松树", "树")}
LIGHTS = {False: ("太阳", "一个太阳"), True: ("月亮", "一个月亮", "圆月")}
CLOUDS = ("白云", "云", "一朵云")
NOTHING_BUT = ("风景", "景色", "一片风景")
KEYWORDS = {
    "day": "白天",
    "sunset": "日落",
    "night": "夜晚",
    "meadow": "草地",
    "hills": "山丘",
    "mountains": "雪山",
    "lake": "湖",
    "sea": "大海",
}


def describe_objects(scene: Objects, draw: Random) -> str:
    """A caption of objects."""
    text = _things(scene, draw)
    if scene.background != "white" or draw.random() < 0.5:
        text = draw.choice(ON_BACKGROUND).format(text, draw.choice(COLOURS[scene.background]))
    return draw.choice(OPENINGS) + text + draw.choice(CLOSINGS)


def describe_landscape(scene: Landscape, draw: Random) -> str:
    """A caption of a landscape; some of what is there goes without saying."""
    text = draw.choice(("，", "和", "、")).join(_parts(scene, draw)) or draw.choice(NOTHING_BUT)
    if scene.water and draw.random() < 0.9:
        water = draw.choice(BY_WATER[scene.water])
        text = f"{water}{text}" if draw.random() < 0.7 else f"{text}，{water.removesuffix('的')}"
    if scene.sky != "day" or draw.random() < 0.6:
        text = f"{draw.choice(SKIES[scene.sky])}{draw.choice(('', '，', '的'))}{text}".replace("的的", "的")
    if extras := _extras(scene, draw):
        text = f"{text}{draw.choice(('，', '，有', '，还有'))}{draw.choice(('和', '、')).join(extras)}"
    return draw.choice(OPENINGS) + text + draw.choice(CLOSINGS)


def keywords(scene: Objects | Landscape) -> Sequence[str]:
    """Single things that the scene shows: what people write as a negative prompt, too."""
    if isinstance(scene, Objects):
        group = scene.groups[0]
        colour, shape = COLOURS[group.colour][0], SHAPES[group.shape][0]
        return (shape, colour, f"{colour}{shape}", f"{COLOURS[scene.background][0]}背景")
    found = [KEYWORDS.get(part, "") for part in (scene.sky, scene.land, scene.water)]
    found += ["房子" * bool(scene.houses), "树" * bool(scene.trees), "云" * scene.clouds, "船" * scene.boat]
    found.append(("月亮" if scene.sky == "night" else "太阳") * bool(scene.light))
    return [word for word in (*found, "风景") if word]


def _things(scene: Objects, draw: Random) -> str:
    if len(scene.groups) == 2:
        return draw.choice(PAIRS[scene.arrangement]).format(*(_group(group, draw) for group in scene.groups))
    group = scene.groups[0]
    text = _group(group, draw, scene.size)
    if draw.random() < 0.4:
        return text
    if scene.arrangement != "alone":
        arrangement = draw.choice(ARRANGEMENTS[scene.arrangement])
        return draw.choice((f"{arrangement}的{text}", f"{text}{arrangement}"))
    place = group.places[0]
    where = draw.choice(PLACES[third(place.x), third(place.y)])
    return draw.choice((f"{where}有{text}", f"{text}在{where}", f"{where}的{text}", f"位于{where}的{text}"))


def _group(group: Group, draw: Random, size: str = "usual") -> str:
    number = draw.choice(NUMBERS[group.count])
    measure = "颗" if group.shape in ("star", "heart") and draw.random() < 0.5 else "个"
    large = draw.choice(SIZES[size]) if size in SIZES and draw.random() < 0.85 else ""
    colour, shape = draw.choice(COLOURS[group.colour]), draw.choice(SHAPES[group.shape])
    return f"{number}{measure}{large}{colour}{draw.choice(('', '', '的'))}{shape}"


def _parts(scene: Landscape, draw: Random) -> list[str]:
    parts = []
    if scene.houses:
        number = draw.choice(NUMBERS[scene.houses])
        roof = f"{draw.choice(COLOURS[scene.roof])}屋顶的" if draw.random() < 0.5 else ""
        parts.append(draw.choice((f"{number}座{roof}房子", f"{number}栋{roof}房子")))
    if scene.trees:
        parts.append(f"{draw.choice(NUMBERS[scene.trees])}棵{draw.choice(TREES[scene.tree])}")
    if draw.random() < (0.3 if scene.land == "meadow" else 0.9):
        parts.append(draw.choice(LANDS[scene.land]))
    draw.shuffle(parts)
    return parts


def _extras(scene: Landscape, draw: Random) -> list[str]:
    extras = []
    if scene.light and draw.random() < 0.9:
        side = {"left": "左边的", "right": "右边的"}[scene.light] if draw.random() < 0.4 else ""
        extras.append(side + draw.choice(LIGHTS[scene.sky == "night"]))
    if scene.clouds and draw.random() < 0.9:
        extras.append(draw.choice(CLOUDS))
    if scene.boat and draw.random() < 0.9:
        extras.append(draw.choice(BOATS))
    return extras
