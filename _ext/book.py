"""The book's own Sphinx extension."""

from urllib.parse import urlsplit


def derive_addresses(app, config):
    """Set the site's address from the repository's: GitHub Pages serves owner/repo at owner.github.io/repo."""
    owner, repository = (
        urlsplit(config.html_theme_options["repository_url"]).path.strip("/").split("/")
    )
    config.html_baseurl = f"https://{owner}.github.io/{repository}/"
    config.ogp_site_url = config.html_baseurl
    config.notfound_urls_prefix = f"/{repository}/"


def setup(app):
    """Connect the book's page processing to Sphinx."""
    # jupyter-book always sets it, for an extension that the book does not load.
    app.add_config_value("comments_config", {}, "html")
    app.connect("config-inited", derive_addresses, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
