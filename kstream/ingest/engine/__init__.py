"""Runs the deployed OpenAPI document on this machine, as API Gateway runs it.

``api``            the document, read: what there is to route to, and what to do there.
``authorization``  the port between routing and validation: who may do this?
``model``          bodies against models.
``velocity``       the mapping templates.
``integration``    what a template has written, to the stream and back.
``failures``       what the gateway answers by itself.
"""
