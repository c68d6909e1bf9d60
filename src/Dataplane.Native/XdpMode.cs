namespace Dataplane.Native;

/// <summary>Where the XDP program of a port runs.</summary>
public enum XdpMode
{
    /// <summary>In the driver where it can, else in generic mode.</summary>
    Auto = 0,

    /// <summary>In the driver, before a packet buffer is made.</summary>
    Native,

    /// <summary>In the kernel's common receive path: works with every driver, but frames were put into packet buffers before.</summary>
    Generic,
}
