// resample/upfirdn2d
