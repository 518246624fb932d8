// conv/conv_transpose2d
