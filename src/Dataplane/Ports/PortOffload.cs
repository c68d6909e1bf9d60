namespace Dataplane.Ports;

/// <summary>Whether a port leaves checksums and segmentation to whoever takes its frames.</summary>
public enum PortOffload
{
    /// <summary>As far as the kernel grants it: TCP and UDP data passes in super-frames of up to 64 KB.</summary>
    Auto,

    /// <summary>Not at all: every frame is as it would be on a wire.</summary>
    Off,

    /// <summary>
    /// AF_XDP: established flows between such ports are forwarded by the XDP programs themselves; the engine has first packets, ageing and everything unusual.
    /// </summary>
    Xdp,
}
