################################################################################
#
# ipmi-sim
#
################################################################################

IPMI_SIM_VERSION = 0.2.0
IPMI_SIM_SOURCE = ipmi_sim-$(IPMI_SIM_VERSION).tar.gz
# There is no public address yet: packaging/source.sh puts both files there.
IPMI_SIM_SITE = $(BR2_EXTERNAL_IPMI_SIM_PATH)/sources
IPMI_SIM_SITE_METHOD = file
# The sources of the libraries, so that the build downloads nothing.
IPMI_SIM_EXTRA_DOWNLOADS = ipmi_sim-$(IPMI_SIM_VERSION)-vendor.tar.gz
IPMI_SIM_LICENSE = MIT or Apache-2.0, licenses of libraries in packaging/debian/copyright
IPMI_SIM_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE packaging/debian/copyright
IPMI_SIM_DEPENDENCIES = host-rustc

define IPMI_SIM_EXTRACT_LIBRARIES
	$(TAR) -xf $(IPMI_SIM_DL_DIR)/$(IPMI_SIM_EXTRA_DOWNLOADS) -C $(@D)
endef
IPMI_SIM_POST_EXTRACT_HOOKS += IPMI_SIM_EXTRACT_LIBRARIES

define IPMI_SIM_BUILD_CMDS
	cd $(@D) && $(TARGET_MAKE_ENV) $(TARGET_CONFIGURE_OPTS) $(PKG_CARGO_ENV) \
		cargo build --release --locked --offline --bins
endef

# $(1): what starts the service
define IPMI_SIM_INSTALL
	PROGRAMS=$(@D)/target/$(RUSTC_TARGET_NAME)/release SERVICE=$(1) \
		$(@D)/packaging/install.sh $(TARGET_DIR)
endef

define IPMI_SIM_INSTALL_TARGET_CMDS
	$(call IPMI_SIM_INSTALL,none)
endef

define IPMI_SIM_INSTALL_INIT_SYSV
	$(call IPMI_SIM_INSTALL,busybox)
endef

define IPMI_SIM_INSTALL_INIT_OPENRC
	$(call IPMI_SIM_INSTALL,openrc)
endef

define IPMI_SIM_INSTALL_INIT_SYSTEMD
	$(call IPMI_SIM_INSTALL,systemd)
endef

define IPMI_SIM_USERS
	_ipmi_sim -1 _ipmi_sim -1 * /var/lib/ipmi_sim - dialout BMC simulator
endef

# It holds passwords.
define IPMI_SIM_PERMISSIONS
	/etc/ipmi/lan.conf f 640 root _ipmi_sim - - - - -
	/var/lib/ipmi_sim d 750 _ipmi_sim _ipmi_sim - - - - -
endef

$(eval $(generic-package))
