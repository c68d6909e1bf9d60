using System.Globalization;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Status;

/// <summary>What a candidate configuration would do to the flows of a running gateway.</summary>
/// <param name="Version">Version that its tables would have.</param>
/// <param name="Kept">Flows that would go on as before.</param>
/// <param name="Moved">Flows whose next packet would go to another backend.</param>
/// <param name="Ended">Flows that would end.</param>
/// <param name="Leaving">Flows that an earlier change has moved or ended and that have not sent a packet since.</param>
/// <param name="Services">Services whose tables would change.</param>
/// <param name="Backends">Backends that would come, go or change, in words.</param>
/// <param name="PortsOpened">Ports that would be opened.</param>
/// <param name="PortsClosed">Ports that would be closed.</param>
/// <param name="Differences">What is different between the configurations, in words.</param>
/// <param name="NotCompared">What was taken to stay as it is, since no file says it, in words.</param>
internal sealed record WhatIfReply(int Version, long Kept, long Moved, long Ended, long Leaving, IReadOnlyList<WhatIfReply.Table> Services, IReadOnlyList<string> Backends,
    IReadOnlyList<string> PortsOpened, IReadOnlyList<string> PortsClosed, IReadOnlyList<string> Differences, IReadOnlyList<string> NotCompared)
{
    public static WhatIfReply Of(ChangeReceipt receipt, IReadOnlyList<string> differences, IReadOnlyList<string> notCompared) => new(
        receipt.Version, receipt.Flows.Kept, receipt.Flows.Moved, receipt.Flows.Ended, receipt.Flows.Leaving,
        [.. receipt.Services.Select(change => new Table(change.Service, change.Slots, change.SlotsMoved, change.MinimumSlotsMoved, change.IsNewGeneration))],
        [.. receipt.Backends.Select(change => change.ToString())], receipt.PortsOpened, receipt.PortsClosed, differences, notCompared);

    /// <summary>For people.</summary>
    public IEnumerable<string> Lines() =>
    [
        .. Differences, .. PortsOpened.Select(port => $"port {port} would be opened"), .. PortsClosed.Select(port => $"port {port} would be closed"), .. Services.Select(service => service.ToString()), .. Backends,
        .. NotCompared.Select(what => $"not compared: {what}"),
        string.Create(CultureInfo.InvariantCulture, $"flows: {Kept} would be kept, {Moved} moved, {Ended} ended{(Leaving == 0 ? "" : $"; {Leaving} leaving since earlier")}"),
    ];

    /// <summary>A service whose table would change.</summary>
    /// <param name="Name">Its name.</param>
    /// <param name="Slots">Slots of its table.</param>
    /// <param name="SlotsMoved">Slots that would lead elsewhere.</param>
    /// <param name="MinimumSlotsMoved">The least that could.</param>
    /// <param name="HashesAnew">Whether size, seed, fields or algorithm would change.</param>
    internal sealed record Table(string Name, int Slots, int SlotsMoved, int MinimumSlotsMoved, bool HashesAnew)
    {
        public override string ToString() => HashesAnew
            ? string.Create(CultureInfo.InvariantCulture, $"service {Name}: would hash anew, {SlotsMoved} of {Slots} slots lead elsewhere")
            : string.Create(CultureInfo.InvariantCulture, $"service {Name}: {SlotsMoved} of {Slots} slots would move, the least possible is {MinimumSlotsMoved}");
    }
}
