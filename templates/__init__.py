"""The Jinja2 templates of messages, pages and reports; a package, so that the wheel contains them."""
