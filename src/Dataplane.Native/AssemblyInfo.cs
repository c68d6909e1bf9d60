using System.Runtime.CompilerServices;

// Every structure that crosses into the kernel is blittable; nothing may be marshalled behind our back.
[assembly: DisableRuntimeMarshalling]
