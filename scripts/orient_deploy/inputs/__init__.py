"""What an image is made of. Pure: values in, values out; never runs git or asks the network."""
