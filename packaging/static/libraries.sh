# The libraries of the agent, each configured to what the agent uses of it. A recipe runs in
# a fresh tree of its Debian source with musl-cc in PATH and leaves its work under $out/usr.
# Sourced by build. A recipe's text, its source and its compiler make its key in the cache.

# library     Debian source    bare: upstream's release will do without Debian's patches
static_libraries='
openssl    openssl    bare
libuv      libuv1
libyaml    libyaml
json-c     json-c
libcbor    libcbor    bare
sqlite     sqlite3
libcap     libcap2
libseccomp libseccomp
libpcap    libpcap
curl       curl
net-snmp   net-snmp
mosquitto  mosquitto
ldns       ldns
cmocka     cmocka
'
# Two rows at a time are built side by side; the second line needs OpenSSL.
static_waves=(
	"openssl|libuv libyaml json-c libcbor sqlite libcap libseccomp libpcap"
	"curl mosquitto|net-snmp ldns cmocka"
)

source_of() { awk -v l="$1" '$1 == l { print $2 }' <<<"$static_libraries"; }

# ---- tools of the recipes ----

# compile DEFINES… -- FILES…: objects beside their sources, then $archive of them.
compile() {
	local flags=() objects=() f
	while [ "$1" != -- ]; do flags+=("$1"); shift; done
	shift
	for f in "$@"; do
		musl-cc $static_cflags "${flags[@]}" -c "$f" -o "${f%.c}.o"
		objects+=("${f%.c}.o")
	done
	mkdir -p "$out/usr/lib" "$out/usr/include"
	"$triplet-ar" rcsD "$out/usr/lib/$archive" "${objects[@]}"
}

pc() { # pc NAME VERSION LIBS [PRIVATE]
	mkdir -p "$out/usr/lib/pkgconfig"
	cat >"$out/usr/lib/pkgconfig/$1.pc" <<-P
	Name: $1
	Description: $1, static
	Version: $2
	Libs: $3
	Libs.private: ${4:-}
	Cflags:
	P
}

# configured FLAGS…: an autoconf configure for the target.
configured() {
	local old
	for old in $(find . -name config.sub -o -name config.guess); do # some know no aarch64
		cp "/usr/share/misc/${old##*/}" "$old"
	done
	CC=musl-cc CFLAGS="$static_cflags" AR="$triplet-ar" RANLIB="$triplet-ranlib" \
	    PKG_CONFIG_LIBDIR=$root/usr/lib/pkgconfig \
	    ./configure --build="$(gcc -dumpmachine)" --host="$triplet" --prefix=/usr --sysconfdir=/etc --localstatedir=/var \
	    --disable-shared --enable-static "$@"
}

cmake_library() { # cmake_library FLAGS…: configured in ./build
	cmake -S . -B build -G Ninja -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_C_COMPILER=musl-cc \
	    -DCMAKE_AR="$(command -v "$triplet-ar")" -DCMAKE_RANLIB="$(command -v "$triplet-ranlib")" \
	    -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS="$static_cflags" -DCMAKE_INSTALL_PREFIX=/usr \
	    -DCMAKE_INSTALL_LIBDIR=lib -DBUILD_SHARED_LIBS=OFF "$@"
}

# ---- recipes ----

# What TLS 1.0 to 1.3, X.509, SNMPv3 (MD5, SHA, DES, AES) and DNSSEC (RSA, ECDSA, EdDSA)
# need. no-async: musl has no makecontext.
lib_openssl() {
	# Parts with a folder of their own that nothing here asks for.
	local without=(aria bf blake2 camellia cast cmp cms comp ct dsa ec2m gost idea md4 mdc2
	    ocb rc2 rc4 rc5 rmd160 scrypt seed siphash siv sm2 sm3 sm4 whirlpool ts srp srtp psk
	    dtls ssl3 nextprotoneg rfc3779 async engine dso shared module legacy afalgeng
	    capieng padlockeng multiblock tests autoload-config)
	CC=musl-cc CFLAGS="$static_cflags" ./Configure "$openssl_target" "${without[@]/#/no-}" \
	    --prefix=/usr --openssldir=/etc/ssl --libdir=lib AR="$triplet-ar" RANLIB="$triplet-ranlib"
	make -s build_generated
	make -s libcrypto.a libssl.a libcrypto.pc libssl.pc
	mkdir -p "$out/usr/lib/pkgconfig" "$out/usr/include"
	cp libcrypto.a libssl.a "$out/usr/lib"
	cp libcrypto.pc libssl.pc "$out/usr/lib/pkgconfig"
	cp -r include/openssl "$out/usr/include"
}

lib_libuv() {
	local unix=(async core dl fs getaddrinfo getnameinfo loop-watcher loop pipe poll process
	    signal stream tcp thread tty udp proctitle epoll linux-core linux-inotify linux-syscalls
	    procfs-exepath random-getrandom random-sysctl-linux random-devurandom)
	archive=libuv.a
	compile -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_LARGEFILE_SOURCE -Iinclude -Isrc -- \
	    src/*.c $(printf 'src/unix/%s.c ' "${unix[@]}")
	cp -r include/uv.h include/uv "$out/usr/include"
	pc libuv "$(sed -n 's/^AC_INIT(\[libuv\], \[\([0-9.]*\).*/\1/p' configure.ac)" "-luv"
}

lib_libyaml() {
	local v
	v=$(sed -n 's/^project *(yaml.*VERSION *\([0-9.]*\).*/\1/p' CMakeLists.txt)
	[ -n "$v" ] || v=0.2.5
	archive=libyaml.a
	compile -Iinclude -DYAML_VERSION_MAJOR=0 -DYAML_VERSION_MINOR=2 -DYAML_VERSION_PATCH=5 \
	    -DYAML_VERSION_STRING="\"$v\"" -- src/*.c
	cp include/yaml.h "$out/usr/include"
	pc yaml-0.1 "$v" -lyaml
}

lib_json-c() {
	cmake_library -DBUILD_TESTING=OFF -DBUILD_APPS=OFF -DDISABLE_WERROR=ON -DDISABLE_EXTRA_LIBS=ON
	cmake --build build
	DESTDIR=$out cmake --install build >/dev/null
}

lib_libcbor() {
	cmake_library -DWITH_TESTS=OFF -DWITH_EXAMPLES=OFF -DSANITIZE=OFF -DHUGE_FUZZ=OFF
	cmake --build build
	DESTDIR=$out cmake --install build >/dev/null
}

# The amalgamation is the same for every target; tclsh makes it.
lib_sqlite() {
	./configure --disable-tcl --disable-shared --disable-readline --disable-load-extension >/dev/null
	make -s sqlite3.c
	archive=libsqlite3.a
	compile -DSQLITE_THREADSAFE=1 -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_OMIT_LOAD_EXTENSION \
	    -DSQLITE_OMIT_DEPRECATED -DSQLITE_OMIT_SHARED_CACHE -DSQLITE_OMIT_PROGRESS_CALLBACK \
	    -DSQLITE_OMIT_JSON -DSQLITE_OMIT_TRACE -DSQLITE_OMIT_UTF16 \
	    -DSQLITE_DQS=0 -DSQLITE_MAX_EXPR_DEPTH=100 -DSQLITE_USE_ALLOCA -DHAVE_FDATASYNC=1 \
	    -DSQLITE_TEMP_STORE=2 -D_FILE_OFFSET_BITS=64 -- sqlite3.c
	cp sqlite3.h "$out/usr/include"
	pc sqlite3 "$(cat VERSION)" -lsqlite3 -lm
}

lib_libcap() {
	make -s -C libcap prefix=/usr lib=lib SHARED=no PTHREADS=no CC=musl-cc BUILD_CC=gcc \
	    AR="$triplet-ar" RANLIB="$triplet-ranlib" COPTS="$static_cflags" libcap.a libcap.pc
	mkdir -p "$out/usr/lib" "$out/usr/include/sys"
	cp libcap/libcap.a "$out/usr/lib"
	cp libcap/include/sys/capability.h "$out/usr/include/sys"
	pc libcap "$(sed -n 's/^Version: //p' libcap/libcap.pc)" -lcap
}

lib_libseccomp() {
	configured --disable-python >/dev/null
	make -s -C src libseccomp.la
	mkdir -p "$out/usr/lib" "$out/usr/include"
	cp src/.libs/libseccomp.a "$out/usr/lib"
	cp include/seccomp.h include/seccomp-syscalls.h "$out/usr/include"
	pc libseccomp "$(sed -n 's/^Version: //p' libseccomp.pc)" -lseccomp
}

lib_libpcap() {
	configured --with-pcap=linux --without-libnl --disable-usb --disable-netmap --disable-bluetooth \
	    --disable-dbus --disable-rdma --disable-remote --without-dag --without-septel \
	    --without-snf --without-turbocap --without-dpdk >/dev/null
	make -s libpcap.a
	mkdir -p "$out/usr/lib" "$out/usr/include"
	cp libpcap.a "$out/usr/lib"
	cp -r pcap.h pcap-bpf.h pcap-namedb.h pcap "$out/usr/include"
	pc libpcap "$(cat VERSION)" -lpcap
}

# http(s) in HTTP/1.1 alone.
lib_curl() {
	configured --with-openssl --with-ca-bundle=/etc/ssl/certs/ca-certificates.crt --enable-http \
	    --enable-ipv6 --enable-threaded-resolver --disable-{ftp,file,ldap,ldaps,rtsp,proxy,dict} \
	    --disable-{telnet,tftp,pop3,imap,smb,smtp,gopher,mqtt,manual,ntlm,ntlm-wb,tls-srp} \
	    --disable-{alt-svc,hsts,doh,cookies,netrc,aws,get-easy-options,libcurl-option,docs} \
	    --disable-{dateparse,mime,progress-meter,websockets,crypto-auth,unix-sockets} \
	    --without-{zlib,brotli,zstd,libpsl,librtmp,libidn2,nghttp2,libssh2,libgsasl} >/dev/null
	make -s -C lib
	make -s -C lib install DESTDIR="$out" >/dev/null
	make -s -C include install DESTDIR="$out" >/dev/null
	mkdir -p "$out/usr/lib/pkgconfig"
	cp libcurl.pc "$out/usr/lib/pkgconfig"
}

# The manager's half: no agent, no MIB files, UDP.
lib_net-snmp() {
	OPENSSL_CFLAGS=-I. OPENSSL_LIBS="-lcrypto -lm" configured --with-defaults --disable-agent --disable-applications --disable-manuals \
	    --disable-scripts --disable-mibs --disable-mib-loading --disable-embedded-perl \
	    --without-perl-modules --without-rpm --without-nl --without-libwrap --without-elf \
	    --with-openssl="$root/usr" --enable-blumenthal-aes --with-logfile=none \
	    --with-security-modules=usm --with-transports="UDP UDPIPv6" \
	    --with-out-transports="TCP TCPIPv6 Unix Callback Alias" \
	    --with-persistent-directory=/var/lib/snmp --with-cflags="$static_cflags" >/dev/null
	make -s -C snmplib libnetsnmp.la
	mkdir -p "$out/usr/lib" "$out/usr/include"
	cp snmplib/.libs/libnetsnmp.a "$out/usr/lib"
	cp -r include/net-snmp "$out/usr/include"
	pc netsnmp "$(sed -n 's/^Version: //p' netsnmp.pc)" -lnetsnmp "-lssl -lcrypto -lm"
}

lib_mosquitto() {
	make -s -C lib CC=musl-cc AR="$triplet-ar" WITH_STATIC_LIBRARIES=yes WITH_SHARED_LIBRARIES=no \
	    WITH_TLS_PSK=no WITH_SRV=no WITH_SOCKS=no WITH_CJSON=no CFLAGS="$static_cflags" \
	    libmosquitto.a
	mkdir -p "$out/usr/lib" "$out/usr/include"
	cp lib/libmosquitto.a "$out/usr/lib"
	cp include/mosquitto.h include/mqtt_protocol.h "$out/usr/include"
	pc libmosquitto "$(sed -n 's/^VERSION=//p' config.mk)" -lmosquitto "-lssl -lcrypto"
}

lib_ldns() {
	configured --with-ssl="$root/usr" --disable-dsa --disable-gost --disable-dane \
	    --without-drill --without-examples --disable-ldns-config >/dev/null
	make -s libldns.la
	mkdir -p "$out/usr/lib" "$out/usr/include"
	cp .libs/libldns.a "$out/usr/lib"
	cp -rL ldns "$out/usr/include"
	pc ldns "$(sed -n 's/^Version: *//p' packaging/libldns.pc)" -lldns "-lssl -lcrypto"
}

# For the unit tests alone.
lib_cmocka() {
	# Its header would define uintptr_t anew where it does not know the C library.
	local known=-D_UINTPTR_T_DEFINED
	cmake_library -DCMAKE_C_FLAGS="$static_cflags $known" -DUNIT_TESTING=OFF -DWITH_EXAMPLES=OFF -DWITH_STATIC_LIB=ON
	cmake --build build --target cmocka-static
	mkdir -p "$out/usr/lib" "$out/usr/include"
	cp build/src/libcmocka*.a "$out/usr/lib/libcmocka.a"
	cp include/cmocka.h "$out/usr/include"
	pc cmocka "$(sed -n 's/^project(cmocka VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)" -lcmocka
	sed -i "s/^Cflags:/Cflags: $known/" "$out/usr/lib/pkgconfig/cmocka.pc"
}
