"""Integer versions of everything whose meaning decides a number.

The table is torch-free, so that result keys are known without torch.

Raise a number when a change makes the thing compute something else. Records made with the old number then stay in the
registry under their old key, and the cells that depend on it run again.
"""

SCORES: dict[str, int] = {
    "random": 1,
    "magnitude": 1,
    "magnitude_l1": 1,
    "distance_from_init": 1,
    "loss": 1,
    "taylor": 1,
    "proposed": 1,
    "grasp_t200": 1,
    "grasp_t1": 1,
    "abs_grasp": 1,
    "fisher": 1,
    "bn_scale": 1,
}
WEIGHT_SCORES: dict[str, int] = {
    "random": 1,
    "magnitude": 1,
    "snip": 1,
    "grasp": 1,
    "grasp_class_split": 1,
    "abs_grasp": 1,
    "synflow": 1,
}
"""Of single weights; those of the same name above are of filters."""

MODELS: dict[str, int] = {
    "vgg13": 1,
    "mobilenet_v1": 1,
    "resnet56": 1,
    "lenet300_100": 1,
    "resnet20": 1,
    "vgg11": 1,
    "vgg16": 1,
    "vgg19": 1,
    "vgg2_16": 1,
    "wrn14_8": 1,
    "wrn14_10": 1,
    "wrn20_8": 1,
    "wrn32_2": 1,
    "resnet18": 1,
    "resnet50": 1,
    "resnet18_modified": 1,
}
DATASETS: dict[str, int] = {
    "digits": 1,
    "cifar10": 1,
    "cifar100": 1,
    "mnist": 1,
    "tiny_imagenet": 1,
    "tiny_imagenet_subset": 1,
    "imagenet": 1,
}
AUGMENTATION = 1
TRAINING = 1
MASKS = 1
SURGERY = 1
DYNAMICS = 2
"""What is measured of a network while it trains, and on which images."""

ANALYSIS = 1
"""What is read off a mask: collapsed neurons, weights that lie on a path."""
