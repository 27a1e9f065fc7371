"""Data: where the images come from, how they are verified, split and binarized.

* `sources` puts a data set's files into the data folder and refuses bytes that are not the published ones,
* `idx` reads and writes the files' format, `mnist` says what MNIST consists of and where it can be had,
* `splits` reads the verified files into training, validation and test images,
* `binarization` turns 8-bit pixels into zeros and ones.

Images are rows of 784 pixels, ``uint8``. No batches and no models live here. A new data set is one module like `mnist`
and one entry in `registry`.
"""
