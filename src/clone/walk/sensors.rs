//! What sensors say now, and how they are set.

use super::super::bytes::Bytes;
use super::super::link::Fault;
use super::super::model::Sensor;
use super::super::reads::Read;
use super::super::records::{SensorRecord, sensors_of};
use super::{Walk, code};

/// Event/reading type code of threshold sensors.
const THRESHOLD: u8 = 0x01;

impl Walk<'_> {
    /// Every sensor that has a record and a controller that is reached.
    pub(super) async fn sensors(&mut self) -> Result<(), Fault> {
        let all = {
            let controllers = &self.machine.controllers;
            let repository = controllers.iter().flat_map(|controller| controller.repository.iter().flatten());
            let device = controllers.iter().flat_map(|controller| controller.device_sdrs.values().flatten());
            sensors_of(repository.chain(device).map(|record| &**record))
        };
        let total = all.len();
        for (done, record) in all.into_values().enumerate() {
            (self.watch)("Sensors", done, total);
            if self.machine.controllers.iter().any(|controller| controller.address == record.owner) {
                self.sensor(record).await?;
            }
        }
        Ok(())
    }

    async fn sensor(&mut self, record: SensorRecord) -> Result<(), Fault> {
        let place = (record.owner, record.lun);
        let mut is_there = false;
        let mut sensor = Sensor {
            lun: record.lun,
            number: record.number,
            sensor_type: record.sensor_type,
            event_reading_code: record.event_reading_code,
            event_only: record.event_only,
            name: record.name,
            ..Sensor::default()
        };
        if !sensor.event_only {
            sensor.reading = self.of_sensor(place, Read::SensorReading, record.number, &mut is_there).await?;
        }
        if sensor.event_reading_code == THRESHOLD && !sensor.event_only {
            sensor.thresholds = self.of_sensor(place, Read::Thresholds, record.number, &mut is_there).await?;
            sensor.hysteresis = self.hysteresis(place, record.number, &mut is_there).await?;
        }
        sensor.event_enable = self.of_sensor(place, Read::EventEnable, record.number, &mut is_there).await?;
        if let Some(controller) = self.machine.controller_mut(record.owner).filter(|_| is_there) {
            controller.sensors.push(sensor);
        }
        Ok(())
    }

    async fn hysteresis(&mut self, place: (u8, u8), number: u8, is_there: &mut bool) -> Result<Option<Bytes>, Fault> {
        /// Reserved for future masks; has to be FFh.
        const MASK: u8 = 0xff;
        self.asked(place, Read::Hysteresis, &[number, MASK], is_there).await
    }

    async fn of_sensor(
        &mut self,
        place: (u8, u8),
        read: Read,
        number: u8,
        is_there: &mut bool,
    ) -> Result<Option<Bytes>, Fault> {
        self.asked(place, read, &[number], is_there).await
    }

    /// What a sensor says to a command; whatever it says but that it is not there, it is there.
    async fn asked(
        &mut self,
        place: (u8, u8),
        read: Read,
        data: &[u8],
        is_there: &mut bool,
    ) -> Result<Option<Bytes>, Fault> {
        let Some(response) = self.ask(place, read, data).await? else { return Ok(None) };
        *is_there |= response.code != code::NOT_PRESENT;
        if response.code == code::PRIVILEGE && !self.link.is_administrators() {
            self.miss(place.0, read, &[], "it needs a higher privilege level");
        }
        Ok((response.code == 0).then_some(response.data))
    }
}
