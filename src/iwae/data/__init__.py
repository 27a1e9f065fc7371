"""Data: where the images come from, how they are verified, split and binarized.

* `sources` puts a data set's files into the data folder and refuses what is not right, `download` uses the web for it,
* `dataset` says what a data set is and finds one by its name, `checks` how its files are known to be right,
* `mnist`, `omniglot`, `mnist_fixed` and `mnist_static` are the data sets: their files, and how these are read,
* `idx` reads and writes the format of MNIST's files,
* `splits` reads the verified files into training, validation and test images,
* `binarization` turns 8-bit pixels into zeros and ones.

Images are rows of 784 pixels, ``uint8``. No batches and no models live here. A new data set is one module like
`omniglot` and one entry in `iwae.study.registry.DATASETS`.
"""
