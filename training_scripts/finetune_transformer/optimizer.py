"""AdamW with its weight decay inside the step, so that a small one is not lost to rounding.

torch's AdamW first multiplies each weight by `1 - lr * weight_decay`. In single precision that factor is 1 as soon as the
product is below 3e-8, which fine-tuning's rates make it: a decay of 1e-4 would be no decay at all. Added to the step, which
has about the size of 1, it takes part in the one rounding of the weight.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class AdamW(torch.optim.Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019); arguments as those of `torch.optim.AdamW`."""

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "step": 0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move the weights by one step."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            group["step"] += 1
            gradients = [weight.grad for weight in weights]
            first = self._moment("first", weights)
            second = self._moment("second", weights)
            beta1, beta2 = group["betas"]
            torch._foreach_lerp_(first, gradients, 1 - beta1)
            torch._foreach_mul_(second, beta2)
            torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
            # Both moments start at 0; dividing by these makes up for it.
            correction1, correction2 = (1 - beta ** group["step"] for beta in (beta1, beta2))
            scale = torch._foreach_sqrt(second)
            torch._foreach_mul_(scale, correction1 / math.sqrt(correction2))
            torch._foreach_add_(scale, correction1 * group["eps"])
            steps = torch._foreach_div(first, scale)
            if group["weight_decay"]:
                torch._foreach_add_(steps, weights, alpha=group["weight_decay"])
            torch._foreach_add_(weights, steps, alpha=-group["lr"])

    def _moment(self, name: str, weights: list[Tensor]) -> list[Tensor]:
        for weight in weights:
            if name not in self.state[weight]:
                self.state[weight][name] = torch.zeros_like(weight)
        return [self.state[weight][name] for weight in weights]
