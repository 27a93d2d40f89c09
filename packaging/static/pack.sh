# What a router's owner is handed: one archive, laid out as the router's own folders, the
# same bytes from the same sources. Sourced by build.

# Of a Debian source its copyright file; of a bare archive its licence.
licence_of() {
	local files=$cache/source/$1/files
	if [ -e "$(echo "$files"/*.debian.tar.*)" ]; then
		tar -xOf "$files"/*.debian.tar.* debian/copyright
	else
		tar -xOf "$files"/*.orig.tar.* --wildcards '*/LICENSE*'
	fi
}

licences() {
	local name source bare
	cat <<-L
	hatang-agent is linked with the libraries below, which packaging/static/build compiles
	from these sources. Whoever is handed the program may have the sources of all of it and
	link it anew with other versions of them.

	L
	echo "musl $(dpkg-deb -f "$cache/binary/$arch/musl-dev.deb" Version)"
	while read -r name source bare; do
		[ -n "$name" ] && echo "$name $(cat "$cache/source/$source/version")"
	done <<<"$static_libraries"
	echo "libgcc $("$cc" -dumpfullversion), under the GCC Runtime Library Exception"
	printf '\n=== musl ===\n'
	cat "$cache/$arch/musl/usr/share/doc/musl-dev/copyright"
	while read -r name source bare; do
		[ -n "$name" ] || continue
		printf '\n=== %s ===\n' "$name"
		licence_of "$source"
	done <<<"$static_libraries"
}

# pack: the archives of $arch in $dest.
pack() {
	local version name tree
	version=$(sed -n 's/^project(hatang VERSION \([0-9.]*\).*/\1/p' "$top/CMakeLists.txt")
	name=hatang-agent-$version-$arch
	tree=$dest/$arch/$name
	rm -rf "$tree"
	install -D -m 755 "$dest/$arch/hatang-agent" "$tree/usr/bin/hatang-agent"
	install -D -m 755 "$here/openwrt/hatang-agent.init" "$tree/etc/init.d/hatang-agent"
	install -D -m 644 "$here/openwrt/10-router.yaml" "$tree/etc/hatang/agent.d/10-router.yaml"
	install -d "$tree/usr/share/doc/hatang-agent"
	install -m 644 "$top/docs/openwrt.md" "$tree/usr/share/doc/hatang-agent/README.md"
	licences >"$tree/usr/share/doc/hatang-agent/LICENCES"
	chmod 644 "$tree/usr/share/doc/hatang-agent/"*
	# Files alone: unpacked over /, it leaves the folders there as they are.
	(cd "$tree" && find . -type f -printf '%P\n' | sort |
	    tar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=ustar \
		-cf "../$name.tar" -T -)
	xz -9 -T1 -k -c "$dest/$arch/$name.tar" >"$dest/$name.tar.xz"
	gzip -9 -n -c "$dest/$arch/$name.tar" >"$dest/$name.tar.gz"
	rm -rf "$tree" "$dest/$arch/$name.tar"
	for f in "$dest/$arch/hatang-agent" "$dest/$name.tar.gz" "$dest/$name.tar.xz"; do
		printf '%9d bytes  %s\n' "$(stat -c %s "$f")" "$f"
	done
}
