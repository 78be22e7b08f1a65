include $(sort $(wildcard $(BR2_EXTERNAL_IPMI_SIM_PATH)/package/*/*.mk))
