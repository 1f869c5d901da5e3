#!/usr/bin/env python3
"""The article's network in Keras: keras_peer.py train|compose CLASSES THREADS. Needs `pip install tensorflow-cpu`.

Prints `ready`; for each line on standard input fits 10 batches of 50 windows of 100 and prints the milliseconds of one step; or
composes 20 notes as the article does (`predict` on the whole window for each) and prints the milliseconds of one note.
"""
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import keras
import numpy as np
import tensorflow as tf
from keras import layers

what, classes, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
tf.config.threading.set_intra_op_parallelism_threads(threads)
keras.utils.set_random_seed(0)
model = keras.Sequential([
    keras.Input((100, 1)),
    layers.LSTM(512, return_sequences=True), layers.Dropout(0.2), layers.BatchNormalization(),
    layers.LSTM(256), layers.Dropout(0.2), layers.BatchNormalization(),
    layers.Dense(128, activation="relu"), layers.Dropout(0.2), layers.BatchNormalization(),
    layers.Dense(classes), layers.Activation("softmax")])
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
random = np.random.default_rng(0)
x = random.random((500, 100, 1), dtype=np.float32)
y = keras.utils.to_categorical(random.integers(0, classes, 500), classes)


def work():
    if what == "train":
        model.fit(x, y, epochs=1, batch_size=50, verbose=0)
        return 10
    window = list(random.integers(0, classes, 100))
    for _ in range(20):
        p = model.predict(np.reshape(window, (1, 100, 1)) / float(classes), verbose=0)
        window = window[1:] + [int(np.argmax(p))]
    return 20


work()
print("ready", flush=True)
for _ in sys.stdin:
    begun = time.perf_counter()
    units = work()
    print((time.perf_counter() - begun) * 1e3 / units, flush=True)
