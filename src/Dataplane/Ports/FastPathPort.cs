using Dataplane.Native;

namespace Dataplane.Ports;

/// <summary>A port of the fast path: its device for redirected frames, and what programs have forwarded without the engine.</summary>
internal sealed class FastPathPort : IDisposable
{
    private readonly XdpFlowMap _flows;
    private readonly XdpFeatures _features;
    private readonly InterfaceControl _control;
    private readonly Lock _gate = new();
    private long _receivedPackets;
    private long _receivedBytes;
    private long _transmittedPackets;
    private long _transmittedBytes;
    private bool _isOn = true;
    private bool _takes;
    private bool _disposed;

    /// <summary>Notes the interface; in its network namespace.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public FastPathPort(XdpFlowMap flows, int interfaceIndex, string interfaceName)
    {
        _flows = flows;
        InterfaceIndex = interfaceIndex;
        Device = flows.AddDevice(interfaceIndex, interfaceName);
        try
        {
            _control = InterfaceControl.Open();
            _features = XdpFeatures.Open();
        }
        catch
        {
            _control?.Dispose();
            flows.RemoveDevice(Device);
            throw;
        }

        Look();
    }

    /// <summary>The interface's number.</summary>
    public int InterfaceIndex { get; }

    /// <summary>Its number among the devices that flows leave by.</summary>
    public int Device { get; }

    /// <summary>Whether it is wanted. Written by the control side.</summary>
    public bool IsOn
    {
        get => Volatile.Read(ref _isOn);
        set => Volatile.Write(ref _isOn, value);
    }

    /// <summary>Whether frames can be redirected to it, when it was looked at last.</summary>
    public bool TakesFrames => Volatile.Read(ref _takes);

    /// <summary>How it works, in a few words.</summary>
    public string Description => !IsOn ? "fast path switched off"
        : TakesFrames ? "fast path" : "no fast path to it: on veth, the other end must have generic receive offload (ethtool -K IF gro on) or an XDP program";

    /// <summary>Asks the kernel whether frames can be redirected to it, and will go. Control side.</summary>
    public bool Look()
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return false;
            }

            // What is redirected to a link that is down is lost without a word; the engine refuses it by name.
            Volatile.Write(ref _takes, _features.CanTransmit(InterfaceIndex));
            return _takes && _control.StateOf(InterfaceIndex) == InterfaceState.Up;
        }
    }

    /// <summary>Counts what was received here by the program. Any worker.</summary>
    public void CountReceived(long packets, long bytes)
    {
        Interlocked.Add(ref _receivedPackets, packets);
        Interlocked.Add(ref _receivedBytes, bytes);
    }

    /// <summary>Counts what was redirected to it. Any worker.</summary>
    public void CountTransmitted(long packets, long bytes)
    {
        Interlocked.Add(ref _transmittedPackets, packets);
        Interlocked.Add(ref _transmittedBytes, bytes);
    }

    /// <summary>Adds what was forwarded without the engine.</summary>
    public void AddTo(ref PortStatistics statistics)
    {
        statistics.ReceivedPackets += Volatile.Read(ref _receivedPackets);
        statistics.ReceivedBytes += Volatile.Read(ref _receivedBytes);
        statistics.TransmittedPackets += Volatile.Read(ref _transmittedPackets);
        statistics.TransmittedBytes += Volatile.Read(ref _transmittedBytes);
        statistics.FastPathPackets += Volatile.Read(ref _receivedPackets);
    }

    /// <summary>Forgets the device; the program is off the interface, and no flow leads here.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            _flows.RemoveDevice(Device);
            _features.Dispose();
            _control.Dispose();
            Volatile.Write(ref _takes, false);
        }
    }

    /// <summary>What a port is to the fast path; null: nothing.</summary>
    public static FastPathPort? Of(IPort? port) => port switch
    {
        AfXdpPort single => single.FastPath,
        QueuedPort queued => Of(queued.First),
        _ => null,
    };
}
