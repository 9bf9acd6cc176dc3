/** A calendar schedule as Cloudtask's pages write it: every two minutes, all day. */
export const aScheduleItem = (difference: Record<string, unknown> = {}) => ({
  id: '1623e5f1a23',
  enabled: 1,
  turnmode: 2,
  interval: 2,
  startdate: '03/19/2018',
  enddate: '',
  starttime: '00:00',
  endtime: '23:59',
  selectat: '',
  monthlyof: { day: 1, week: '' },
  ...difference,
});
