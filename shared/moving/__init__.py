"""Moving an installation from its folder to the servers of a deployment, with nothing changed on the way.

Positions belong to a store, so everything that is counted in them is made anew there: read models are rebuilt, and
the relays' checkpoints are translated. Ids, versions, hashes, payloads and times are copied byte for byte.
"""
