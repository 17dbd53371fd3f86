// Tensors, operators and layers, with PyTorch's names and semantics.
import { createWasmBackend } from "mobiledetr/backend";
import { Conv2d, loadStateDict, ReLU6, Sequential, stateSourceOf } from "mobiledetr/nn";
import { softmax } from "mobiledetr/ops";
import { tensor } from "mobiledetr/tensor";

const backend = createWasmBackend({ threads: 2 });

const layer = new Sequential({ conv: new Conv2d(3, 4, 3, { padding: 1 }), act: new ReLU6() });
console.log(layer.toString());

// Layers start as shapes alone; a state dict brings the numbers.
const numbers = (n) => Float32Array.from({ length: n }, (_, i) => Math.sin(i));
const weights = new Map([
  ["conv.weight", tensor(numbers(108), [4, 3, 3, 3])],
  ["conv.bias", tensor(numbers(4), [4])],
]);
loadStateDict(layer, stateSourceOf(weights), { backend });

const x = tensor(numbers(75), [1, 3, 5, 5], { backend });
const y = layer.call(x);
console.log(y.toString());
console.log(softmax(y.flatten(2).slice(2, 0, 25, 6), -1).toString());
await backend.close();
