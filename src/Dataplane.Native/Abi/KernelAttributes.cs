namespace Dataplane.Native.Abi;

/// <summary>Says which C header and type a structure repeats, so that the layout test can prove it with a C compiler.</summary>
/// <param name="header">Header to include, such as <c>linux/if_packet.h</c>.</param>
/// <param name="name">The C type; the structure's own name where omitted.</param>
[AttributeUsage(AttributeTargets.Struct)]
internal sealed class KernelTypeAttribute(string header, string? name = null) : Attribute
{
    internal string Header { get; } = header;

    internal string? Name { get; } = name;

    /// <summary>Whether the structure is only the beginning of the C type: one member of a union that grows from kernel to kernel.</summary>
    public bool IsBeginning { get; init; }
}

/// <summary>Says where a field lies in the C type, when its name alone does not (a member of a nested structure or union).</summary>
/// <param name="path">Member path as offsetof takes it, such as <c>hdr.bh1.num_pkts</c>.</param>
[AttributeUsage(AttributeTargets.Field)]
internal sealed class KernelFieldAttribute(string path) : Attribute
{
    internal string Path { get; } = path;
}

/// <summary>Says which C headers define the constants of a class under the same names, so that the layout test can prove their values.</summary>
/// <param name="headers">Headers to include, in order.</param>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class KernelConstantsAttribute(params string[] headers) : Attribute
{
    internal string[] Headers { get; } = headers;
}

/// <summary>Marks a constant that headers older than a kernel version lack; it is proven where they have it.</summary>
/// <param name="kernel">First kernel version with the constant, such as <c>6.18</c>.</param>
[AttributeUsage(AttributeTargets.Field)]
internal sealed class SinceKernelAttribute(string kernel) : Attribute
{
    internal string Kernel { get; } = kernel;
}
