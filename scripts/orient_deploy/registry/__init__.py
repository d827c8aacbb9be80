"""The registry that holds the images, over the OCI distribution API.

Does a tag exist, which digest does it name, which commit was that built of, and writing a tag. Says
what the registry answered and decides nothing. `registry.client` is where to begin; it costs the
import of an HTTP client, so it is imported only once a registry is really asked.
"""
