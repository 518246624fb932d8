// conv/conv2d_weight_grad
