//! What the embedded dashboard promises, whether or not it was built.

#[test]
fn every_file_that_the_shell_links_is_embedded() {
    let page = z4j_ui::shell("n0nce");
    let links = ["href=\"/", "src=\"/"]
        .into_iter()
        .flat_map(|attribute| page.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next());
    for link in links {
        assert!(z4j_ui::asset(link).is_some(), "{link} is not embedded");
    }
}

#[test]
fn every_inline_script_of_the_shell_has_a_hash() {
    let page = z4j_ui::shell("n0nce");
    let inline = page.matches("<script>").count() + page.matches("<script data-").count();
    assert_eq!(z4j_ui::script_hashes().len(), inline);
    assert_eq!(z4j_ui::is_built(), inline > 0);
}

#[test]
fn shell_and_compressed_variants_are_no_assets() {
    for path in [
        "",
        "/",
        "index.html",
        "/index.html",
        "theme-init.js.br",
        "../Cargo.toml",
    ] {
        assert!(z4j_ui::asset(path).is_none(), "{path} is an asset");
    }
}

#[test]
fn files_of_a_built_dashboard_say_how_to_serve_them() {
    let Some(theme) = z4j_ui::asset("/theme-init.js") else {
        assert!(!z4j_ui::is_built());
        return;
    };
    assert!(theme.content_type.starts_with("text/javascript"));
    assert!(theme.etag.starts_with('"') && theme.etag.len() > 40);
    assert!(!theme.immutable);
}

#[test]
fn page_of_a_nested_brain_asks_for_nothing_outside_of_it() {
    let page = z4j_ui::shell_below("/tools/z4j", "n0nce");
    assert!(page.contains("<meta name=\"z4j-base\" content=\"/tools/z4j\">"));
    let mut links = 0;
    for path in page
        .split("\"/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        // The end of an element is no path.
        .filter(|path| !path.starts_with('>'))
    {
        let file = path.strip_prefix("tools/z4j");
        assert!(file.is_some(), "/{path} is outside");
        links += usize::from(file.and_then(z4j_ui::asset).is_some());
    }
    assert_eq!(z4j_ui::is_built(), links > 0);
    let at_the_root = page
        .replace("<meta name=\"z4j-base\" content=\"/tools/z4j\">", "")
        .replace("\"/tools/z4j/", "\"/");
    assert_eq!(at_the_root, z4j_ui::shell("n0nce"));
    assert_eq!(z4j_ui::shell_below("", "n0nce"), z4j_ui::shell("n0nce"));
}

#[test]
fn hashes_of_a_nested_page_are_as_many_as_at_the_root_and_its_own() {
    let (nested, root) = (
        z4j_ui::script_hashes_below("/z4j"),
        z4j_ui::script_hashes_below(""),
    );
    assert_eq!(*root, *z4j_ui::script_hashes());
    assert_eq!(nested.len(), root.len());
    assert_eq!(z4j_ui::is_built(), nested != root);
}
