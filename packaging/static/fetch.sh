# Debian's packages by apt, with lists and folders of our own: the machine's apt settings,
# architectures and installed packages stay as they are. apt checks every signature and
# hash. Sourced by build; needs $cache.

static_apt() {
	local tool=$1; shift
	"$tool" -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$cache/apt/$lists/sources" \
	    -o Dir::State::lists="$cache/apt/$lists/lists" -o Dir::Cache="$cache/apt/$lists/cache" \
	    -o APT::Sandbox::User=root -o APT::Get::List-Cleanup=0 -o Acquire::Languages=none "$@"
}

# The mirrors that this machine uses for Debian 12, as "uri suite" lines.
mirrors() {
	cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '
	    function told(i) { for (i = 2; i <= n; i++) print uri, suite[i]; n = 0 }
	    /^URIs:/ { uri = $2 }
	    /^Suites:/ { n = NF; for (i = 2; i <= n; i++) suite[i] = $i }
	    /^$/ { told() }
	    END { told() }'
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | awk '
	    $1 == "deb" { i = 2; if ($i ~ /^\[/) { while ($i !~ /\]$/) i++; i++ } print $i, $(i + 1) }'
}

debian_mirrors() {
	local found
	found=$( (mirrors || true) | grep -E '^[^ ]+ bookworm(-updates|-security)?$' | sort -u) || true
	[ -n "$found" ] || { echo "build: apt knows no mirror of Debian 12 (bookworm)" >&2; return 1; }
	echo "$found"
}

# use_lists NAME KIND OPTIONS SUITES [INSTEAD]: apt's lists of that name, fetched once.
use_lists() {
	lists=$1
	local kind=$2 options=$3 suites=$4 instead=${5:-} dir=$cache/apt/$1
	[ -e "$dir/fetched" ] && return
	mkdir -p "$dir"/{sources,lists/partial,cache/archives/partial}
	local key=/usr/share/keyrings/debian-archive-keyring.gpg
	debian_mirrors | grep -E " $suites\$" |
	    sed ${instead:+-e "s/ .*/ $instead/"} -e "s|.*|$kind [${options:+$options }signed-by=$key] & main|" >"$dir/sources/debian.list"
	static_apt apt-get -qq update
	touch "$dir/fetched"
}

# try_source PACKAGE VERSION [--tar-only]: into $dir, all or nothing.
try_source() {
	rm -rf "$dir/files"
	mkdir -p "$dir/files"
	(cd "$dir/files" && static_apt apt-get -qq source --download-only --only-source ${3:-} "$1=$2") \
	    >>"$dir/log" 2>&1
}

# What there is of one release: its newest source, or, where Debian's patches can be done
# without ($bare is yes), the archive alone that it is made from.
newest_source() {
	local version whole
	for version in $(static_apt apt-cache showsrc --only-source "$1" 2>>"$dir/log" |
	    sed -n 's/^Version: //p' | sort -ru --version-sort); do
		for whole in "" ${bare:+--tar-only}; do
			if try_source "$1" "$version" $whole; then
				echo "$version" >"$dir/version"
				[ -z "$whole" ] || echo "$version, without Debian's patches" >"$dir/version"
				return
			fi
		done
		say "the mirror names $1 $version and does not have it: looking for an older one"
	done
	return 1
}

# fetch_source PACKAGE [BARE]: $cache/source/PACKAGE/files, from Debian 12; a mirror that lacks
# a bare one there may have it in the next release.
fetch_source() {
	local dir=$cache/source/$1 bare=${2:-}
	[ -e "$dir/version" ] && return
	rm -rf "$dir"
	mkdir -p "$dir"
	use_lists source deb-src "" '.*'
	newest_source "$1" && return
	if [ -n "$bare" ]; then
		use_lists next deb-src "" bookworm trixie
		newest_source "$1" && return
	fi
	cat "$dir/log" >&2
	say "the source of $1 cannot be had from the mirror"
	return 1
}

# unpack_source PACKAGE FOLDER
unpack_source() {
	local dir=$cache/source/$1/files
	if [ -e "$(echo "$dir"/*.dsc)" ]; then
		dpkg-source --no-check -x "$dir"/*.dsc "$2"
	else
		mkdir -p "$2"
		tar -xf "$dir"/*.orig.tar.* -C "$2" --strip-components=1
	fi
}

# fetch_binary PACKAGE ARCH: $cache/binary/ARCH/PACKAGE.deb
fetch_binary() {
	local package=$1 arch=$2 dir=$cache/binary/$2
	[ -e "$dir/$package.deb" ] && return
	use_lists "$arch" deb "arch=$arch" bookworm
	mkdir -p "$dir/got"
	(cd "$dir/got" && static_apt apt-get -qq -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
	    download "$package")
	mv "$dir/got/$package"_*.deb "$dir/$package.deb"
}
