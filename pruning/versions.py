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
MODELS: dict[str, int] = {"vgg13": 1, "mobilenet_v1": 1, "resnet56": 1}
DATASETS: dict[str, int] = {
    "digits": 1,
    "cifar10": 1,
    "cifar100": 1,
    "mnist": 1,
    "tiny_imagenet": 1,
    "tiny_imagenet_subset": 1,
}
AUGMENTATION = 1
TRAINING = 1
MASKS = 1
SURGERY = 1
