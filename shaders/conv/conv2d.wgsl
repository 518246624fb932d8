// conv/conv2d
