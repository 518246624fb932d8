// linear/matmul
