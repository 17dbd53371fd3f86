/** The files that cases read, by the name that they have there; paths from the project's root. */
export const FILES = {
  "codes.yaml": "models/codes.yaml",
  "codes.f16.safetensors": "models/codes.f16.safetensors",
  "cat.jpg": "examples/pictures/cat.jpg",
  "wall.jpg": "examples/pictures/wall.jpg",
  "palette.png": "test/golden/image/files/c3-d4-i.png",
  "deep.png": "test/golden/image/files/c2-d16.png",
};
